fn emit_record(index: u32, record: vec4<f32>) {
    records[index] = record;
}
