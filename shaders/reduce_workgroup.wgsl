// A workgroup of several subgroups per segment. Reductions go over each subgroup, then across them in order through
// workgroup memory: a barrier each, since two halves of it take turns: who writes one has seen all others past the barrier
// behind which the last of them read it. Chosen when: segments that a workgroup can hold.

struct Place {
    slot: u32,  // segment of the workgroup: only 0
    lane: u32,  // of the segment
    subgroup: u32,
    subgroups: u32,
    subgroup_lane: u32,
}

// Twice as many as there can be subgroups, of at least four lanes.
var<workgroup> shared_sums: array<vec2<f32>, WORKGROUP / 2u>;
var<private> half: u32 = 0u;

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    let part = subgroupAdd(v);
    half = WORKGROUP / 4u - half;
    if (place.subgroup_lane == 0u) {
        shared_sums[half + place.subgroup] = part;
    }
    workgroupBarrier();
    var sum = shared_sums[half];
    for (var i = 1u; i < place.subgroups; i++) {
        sum += shared_sums[half + i];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    rows_of(group, groups, Place(0u, invocation, subgroup, subgroups, lane));
}
