fn store(c: Cursor, v: Unit) {
    y[place_in_y(c)] = pack(v);
}
