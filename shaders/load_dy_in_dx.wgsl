// dx is written in the place of dy.
fn load_dy(c: Cursor) -> Unit {
    return unpack(dx[place_in_y(c)]);
}
