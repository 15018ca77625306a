// y lies in the binding of x: in place, or a range that touches x.
fn store(c: Cursor, v: Unit) {
    x[place_in_y(c)] = pack(v);
}
