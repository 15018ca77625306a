// Only dx is written.

fn add_to_sums(i: u32, dy: Unit, x_hat: Unit) {}

fn emit_units(workgroup: u32, place: Place) {}

fn emit_segment(row: Row, sums: vec2<f32>, place: Place) {}
