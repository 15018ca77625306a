// A workgroup of several subgroups per segment. Reductions go over each subgroup, then across them through workgroup memory:
// reduce_across.wgsl, reduce_across_software.wgsl. Chosen when: segments that a workgroup can hold.

struct Place {
    slot: u32,  // segment of the workgroup: only 0
    lane: u32,  // of the segment
    subgroup: u32,
    subgroups: u32,
    subgroup_lane: u32,
    subgroup_size: u32,
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) size: u32,
) {
    rows_of(group, groups, Place(0u, invocation, subgroup, subgroups, lane, size));
}
