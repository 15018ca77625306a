// dweight and dbias from partial sums: see gradient_gather.wgsl.
//   dweight = sum(dy x_hat), dbias = sum(dy), in a fixed order; added to what is there if p.accumulate is 1
// Barriers: log2(LANES) + 1 if LANES > 1. Chosen when: after gradient_sums.wgsl, for dweight and dbias.

fn emit_gathered(at: Segment, t: Sums) {
    emit_dweight(at.record, t.q);
    emit_dbias(at.record, t.s);
}
