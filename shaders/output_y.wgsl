fn store(index: u32, v: Unit) {
    y[index + select(0u, p.y_shift, SHIFTED)] = pack(v);
}
