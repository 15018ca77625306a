// Loads of units that begin at any element, from x seen as pairs of elements: 64-bit integers, half as many accesses.
// From an odd element on (only where ODD), a unit begins with the second half of a pair, and its last element is read
// by itself: the pair that it begins may be half beyond the end of the buffer.

// Sums do not see the order of elements, nor at which end of a run one is taken by itself: see tail.wgsl.
const SUMS_WHOLE_PAIRS: bool = ODD && TAIL;

fn load_for_sums(index: u32) -> Unit {
    if (SUMS_WHOLE_PAIRS) {
        return load_pairs((index + 1u) / 2u);
    }
    return load(index);
}

fn load_pairs(pair: u32) -> Unit {
    let low = vec4(x_pairs[pair], x_pairs[pair + 1u], x_pairs[pair + 2u], x_pairs[pair + 3u]);
    let high = vec4(x_pairs[pair + 4u], x_pairs[pair + 5u], x_pairs[pair + 6u], x_pairs[pair + 7u]);
    return Unit(evens(low), odds(low), evens(high), odds(high));
}

fn load(index: u32) -> Unit {
    let even = load_pairs(index / 2u);
    if (!ODD) {
        return even;
    }
    let next = Unit(
        even[1],
        vec4(even[0].yzw, even[2].x),
        even[3],
        vec4(even[2].yzw, x[index + 15u]),
    );
    let odd = (index & 1u) != 0u;
    return Unit(
        select(even[0], next[0], odd),
        select(even[1], next[1], odd),
        select(even[2], next[2], odd),
        select(even[3], next[3], odd),
    );
}
