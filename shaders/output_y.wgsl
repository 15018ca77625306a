fn store(index: u32, v: Unit) {
    y[index + p.y_shift] = pack(v);
}
