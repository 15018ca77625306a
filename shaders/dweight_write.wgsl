fn emit_dweight(index: u32, v: f32) {
    var sum = v;
    if (p.accumulate == 1u) {
        sum += dweight[index + p.dweight_offset];
    }
    dweight[index + p.dweight_offset] = sum;
}
