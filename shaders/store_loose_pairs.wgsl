// Writes units that begin at any element to y seen as pairs of elements: 64-bit integers, half as many accesses. At an odd
// element (only where ODD_Y), pairs begin with the second element of the unit: its first and its last one are written by
// themselves, since their pairs are not its own. At an even one, its last two are, so that all units store alike.

fn store(c: Cursor, v: Unit) {
    let index = place_in_y(c);
    if (!ODD_Y) {
        let high = put_pairs(index / 2u, v);
        y_pairs[index / 2u + 7u] = high;
        return;
    }
    let odd = (index & 1u) != 0u;
    let later = Unit(v[1], vec4(v[0].yzw, v[2].x), v[3], vec4(v[2].yzw, 0.0));
    let unit = Unit(
        select(v[0], later[0], odd),
        select(v[1], later[1], odd),
        select(v[2], later[2], odd),
        select(v[3], later[3], odd),
    );
    put_pairs((index + 1u) / 2u, unit);
    put(select(index + 14u, index, odd), select(v[2].w, v[0].x, odd));
    put(index + 15u, v[3].w);
}

// Writes seven pairs, and returns the eighth.
fn put_pairs(pair: u32, v: Unit) -> u64 {
    let low = pairs(v[0], v[1]);
    let high = pairs(v[2], v[3]);
    y_pairs[pair] = low.x;
    y_pairs[pair + 1u] = low.y;
    y_pairs[pair + 2u] = low.z;
    y_pairs[pair + 3u] = low.w;
    y_pairs[pair + 4u] = high.x;
    y_pairs[pair + 5u] = high.y;
    y_pairs[pair + 6u] = high.z;
    return high.w;
}
