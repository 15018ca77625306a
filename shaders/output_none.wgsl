// The kernel only reads x.
fn put(index: u32, v: Stored) {}
