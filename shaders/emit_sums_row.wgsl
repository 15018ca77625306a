// The sums of one segment.

fn emit_part(index: u32, t: Sums) {
    sums[index] = vec4(t.s, t.q, bitcast<f32>(t.largest), bitcast<f32>(t.ties));
}
