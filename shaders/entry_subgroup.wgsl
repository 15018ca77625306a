// For kernels whose invocations share loads within their subgroup.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) within: u32,
) {
    subgroup_lane = within;
    invocation(linear_workgroup(group, groups) * WORKGROUP + lane);
}
