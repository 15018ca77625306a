fn put(index: u32, v: Stored) {
    y[index] = v;
}
