// dx with the coefficients of the segments.
//   dx = r (dy weight - a - x_hat b)
// Reads x and dy once, writes dx once. One invocation takes a contiguous span of a segment, or of ROWS neighbouring ones
// (LANES = 1), or a workgroup does, its lanes in turn, coalesced. No barriers. Chosen when: after gradient_finish.wgsl, or
// where statistics are given.

fn apply_to(at: Segment, first: u32, units: u32) {
    write_dx(Task(at, recorded(at.record), true), coefficients_at(at.record), first, units);
}
