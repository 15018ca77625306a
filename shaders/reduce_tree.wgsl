// Part of a workgroup per segment, or all of it. Reductions over LANES neighbouring invocations go
// through workgroup memory: log2(LANES) + 2 barriers each. Chosen when: no subgroups of that width.

struct Place {
    slot: u32,  // segment of the workgroup
    lane: u32,  // of the segment
    invocation: u32,
}

var<workgroup> shared_sums: array<vec2<f32>, WORKGROUP>;

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    workgroupBarrier();
    shared_sums[place.invocation] = v;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (place.lane < half) {
            shared_sums[place.invocation] += shared_sums[place.invocation + half];
        }
    }
    workgroupBarrier();
    return shared_sums[place.invocation - place.lane];
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    rows_of(group, groups, Place(invocation / LANES, invocation % LANES, invocation));
}
