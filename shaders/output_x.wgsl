// y lies in the binding of x: in place, or a range that touches x.
fn store(index: u32, v: Unit) {
    x[index + select(0u, p.y_shift, SHIFTED)] = pack(v);
}
