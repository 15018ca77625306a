fn emit_dweight(index: u32, v: f32) {}
