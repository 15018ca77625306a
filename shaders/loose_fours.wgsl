// Loads of units that begin at a multiple of four elements, from x seen as pairs of 64-bit integers: software adapters pay
// for every access, and then for its parts.

const SUMS_WHOLE_PAIRS: bool = false;

fn load_for_sums(index: u32) -> Unit {
    return load(index);
}

fn load(index: u32) -> Unit {
    let first = index / 4u;
    let low = vec4(x_pairs[first], x_pairs[first + 1u]);
    let high = vec4(x_pairs[first + 2u], x_pairs[first + 3u]);
    return Unit(evens(low), odds(low), evens(high), odds(high));
}
