// Writes units that begin at a multiple of sixteen elements to the binding of x, seen as such units.

fn store(c: Cursor, v: Unit) {
    x_pairs[place_in_y(c) / 16u] = pack(v);
}
