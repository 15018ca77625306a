// Normalizes with statistics that every invocation combines from the parts of its segment; the first of a segment writes them.
//   y = ((x * scale - m) * r - e * r) * weight + bias
// Reads x once, writes y once. A workgroup takes a contiguous span of a segment, its lanes in turn, coalesced. No barriers.
// Chosen when: after partial.wgsl, where a segment has few parts.

fn apply_to(at: Segment, first: u32, units: u32) {
    let n = settle(combine_parts(at.record, 0u, 1u), at.record, first == 0u);
    normalize(Task(at, n, true), first, units);
}
