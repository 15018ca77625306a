// The coefficients of dx of every segment from its partial sums: one invocation per segment.
// Reads all partial sums once, and the record; writes one vec4 a segment. No barriers.
// Chosen when: after gradient_sums.wgsl, for dx.

fn invocation(segment: u32) {
    if (segment < p.segments) {
        let at = segment_at(segment);
        let k = coefficients_of(gather(at), recorded(at.record));
        coefficients[at.record] = vec4(k.a, k.b, bitcast<f32>(k.largest), k.ties);
    }
}
