fn load_dy(c: Cursor) -> Unit {
    return unpack(dy[place_in_y(c)]);
}
