// Normalizes with the records of the segments.
//   y = ((x * scale - m) * r - e * r) * weight + bias
// Reads x once, writes y once. One invocation takes a contiguous span of a segment, or of ROWS neighbouring ones
// (LANES = 1), or a workgroup does, its lanes in turn, coalesced. No barriers. Chosen when: after finish.wgsl or given.wgsl.

fn apply_to(at: Segment, first: u32, units: u32) {
    normalize(Task(at, recorded(at.record), true), first, units);
}
