// dx is written in the place of x.
fn load(index: u32) -> Unit {
    return unpack(dx[index + select(0u, p.dx_shift, SHIFTED)]);
}
