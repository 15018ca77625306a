// Writes units that begin at a multiple of sixteen elements to y seen as such units.

fn store(c: Cursor, v: Unit) {
    y_pairs[place_in_y(c) / 16u] = pack(v);
}
