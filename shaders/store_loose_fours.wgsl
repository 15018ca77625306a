// Writes units that begin at a multiple of four elements to y seen as pairs of 64-bit integers: half as many accesses as
// there are of such integers.

fn store(c: Cursor, v: Unit) {
    let first = place_in_y(c) / 4u;
    let low = pairs(v[0], v[1]);
    let high = pairs(v[2], v[3]);
    y_pairs[first] = low.xy;
    y_pairs[first + 1u] = low.zw;
    y_pairs[first + 2u] = high.xy;
    y_pairs[first + 3u] = high.zw;
}
