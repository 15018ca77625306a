// The coefficients of dx of every segment from its partial sums: see gradient_gather.wgsl.
// Reads all partial sums once, and the record; writes one vec4 a segment. Barriers: log2(LANES) + 1 if LANES > 1.
// Chosen when: after gradient_sums.wgsl, for dx.

fn emit_gathered(at: Segment, t: Sums) {
    let k = settled_coefficients(t, recorded(at.record), at.record, f32(p.count), own_freedom());
    coefficients[at.record] = vec4(k.a, k.b, bitcast<f32>(k.largest), k.ties);
}
