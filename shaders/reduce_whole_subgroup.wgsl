// A subgroup per segment, all of it: reductions are one subgroup operation each, no barriers. On software adapters a
// shuffle costs as much as a load, and a whole reduction no more.
// Chosen when: segments of subgroups whose size is known.

struct Place {
    slot: u32,  // segment of the workgroup
    lane: u32,  // of the segment
}

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    return subgroupAdd(v);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    rows_of(group, groups, Place(subgroup, lane));
}
