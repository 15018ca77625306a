// The sums of every segment from its partial sums (see gradient_gather.wgsl), for the caller to add to those of other shares:
// (sum(g), sum(g x_hat), count), the count as two numbers that stay whole when they are added as f32.
// Added to what is there if p.accumulate is 1. Reads all partial sums once; writes one vec4 a segment. Barriers:
// log2(LANES) + 1 if LANES > 1. Chosen when: after gradient_sums.wgsl, in the first half of a backward pass over shares.

fn emit_gathered(at: Segment, t: Sums) {
    var sum = vec4(t.s, t.q, f32(p.count & 0xffffu), f32(p.count >> 16u));
    if (p.accumulate == 1u) {
        sum += sums[at.record];
    }
    sums[at.record] = sum;
}
