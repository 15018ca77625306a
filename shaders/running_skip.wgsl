fn emit_running(channel: u32, t: Single) {}
