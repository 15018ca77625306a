fn emit_moments(index: u32, t: Single) {}
