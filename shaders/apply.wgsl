// Normalizes with the records of the segments.
//   y = ((x * scale - m) * r - e * r) * weight + bias
// Reads x once, writes y once. One invocation takes a contiguous span of a segment (LANES = 1), or a workgroup
// does, its lanes in turn, coalesced. No barriers. Chosen when: after finish.wgsl or given.wgsl.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    var index = linear_workgroup(group, groups);
    var lane = invocation;
    if (LANES == 1u) {
        index = index * WORKGROUP + invocation;
        lane = 0u;
    }
    if (index >= p.segments * p.spans) {
        return;
    }
    let span = span_at(index);
    let at = segment_at(span.segment);
    normalize(Task(at, recorded(at.record), true), span.first + lane, lane_share(span.units, lane));
}
