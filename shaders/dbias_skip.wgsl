fn emit_dbias(index: u32, v: f32) {}
