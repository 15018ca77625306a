fn emit_dbias(index: u32, v: f32) {
    var sum = v;
    if (p.accumulate == 1u) {
        sum += dbias[index + p.dbias_offset];
    }
    dbias[index + p.dbias_offset] = sum;
}
