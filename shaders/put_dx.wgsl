fn put_dx(c: Cursor, v: Unit) {
    dx[c.x + select(0u, p.dx_shift, SHIFTED)] = pack(v);
}
