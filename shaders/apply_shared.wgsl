// Normalizes with the records of the segments, where all segments have the same weights: see apply.wgsl.
// The invocations of a workgroup take the same span of neighbouring segments, in step, and share what they load of the
// weights. Those beyond the last segment go along and write nothing, so that control flow is uniform. No barriers.
// Chosen when: software adapters with subgroups of eight.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) within: u32,
) {
    subgroup_lane = within;
    let blocks = (p.segments + WORKGROUP - 1u) / WORKGROUP;
    let index = linear_workgroup(group, groups);
    let span = index / blocks;
    let segment = (index - span * blocks) * WORKGROUP + invocation;
    let present = span < p.spans && segment < p.segments;
    let at = segment_at(min(segment, p.segments - 1u));
    let taken = span_of(0u, 1u, min(span, p.spans - 1u));
    normalize(Task(at, recorded(at.record), present), taken.first, taken.units);
}
