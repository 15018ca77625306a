// The sums of every segment, of which each has one weight: dy, and dy x_hat, without that weight, at [segment]. dweight and dbias
// are sums of those: see gradient_parameters.wgsl.

fn add_to_sums(i: u32, dy: Unit, x_hat: Unit) {}

fn emit_units(workgroup: u32, place: Place) {}

fn emit_segment(row: Row, sums: vec2<f32>, place: Place) {
    if (row.present && place.lane == 0u) {
        emit_part(row.at.record - p.record_offset, Sums(sums.x, sums.y, 0u, 0u));
    }
}
