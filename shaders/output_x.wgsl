// y lies in the binding of x: in place, or a range that touches x.
fn put(index: u32, v: Stored) {
    x[index] = v;
}
