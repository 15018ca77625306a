// dweight and dbias from partial sums: one invocation per weight.
//   dweight = sum(dy x_hat), dbias = sum(dy), in a fixed order; added to what is there if p.accumulate is 1
// No barriers. Chosen when: after gradient_sums.wgsl, for dweight and dbias.

fn invocation(segment: u32) {
    if (segment < p.segments) {
        let at = segment_at(segment);
        let t = gather(at);
        emit_dweight(at.record, t.q);
        emit_dbias(at.record, t.s);
    }
}
