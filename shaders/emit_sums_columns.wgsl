// The sums of four neighbouring segments.

fn emit_part(index: u32, t: Sums) {
    for (var i = 0u; i < 4u; i++) {
        sums[index + i * RECORD_STEP] = vec4(t.s[i], t.q[i], bitcast<f32>(t.largest[i]), bitcast<f32>(t.ties[i]));
    }
}
