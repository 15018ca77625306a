// A workgroup of several subgroups per segment. Reductions go over each subgroup, then across them in order through
// workgroup memory: two barriers each. Chosen when: hardware adapters, segments that a workgroup can hold.

struct Place {
    slot: u32,  // segment of the workgroup: only 0
    lane: u32,  // of the segment
    subgroup: u32,
    subgroups: u32,
    subgroup_lane: u32,
}

// As many as there can be subgroups, of at least four lanes.
var<workgroup> shared_sums: array<vec2<f32>, WORKGROUP / 4u>;
var<workgroup> shared_max: array<u32, WORKGROUP / 4u>;

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    let part = subgroupAdd(v);
    workgroupBarrier();
    if (place.subgroup_lane == 0u) {
        shared_sums[place.subgroup] = part;
    }
    workgroupBarrier();
    var sum = shared_sums[0];
    for (var i = 1u; i < place.subgroups; i++) {
        sum += shared_sums[i];
    }
    return sum;
}

fn reduce_max(v: u32, place: Place) -> u32 {
    let part = subgroupMax(v);
    workgroupBarrier();
    if (place.subgroup_lane == 0u) {
        shared_max[place.subgroup] = part;
    }
    workgroupBarrier();
    var largest = shared_max[0];
    for (var i = 1u; i < place.subgroups; i++) {
        largest = max(largest, shared_max[i]);
    }
    return largest;
}

// True if `yes` is, of all segments whose invocations go on together.
var<workgroup> shared_agreement: u32;

fn all_agree(yes: bool, place: Place) -> bool {
    if (place.lane == 0u) {
        shared_agreement = select(0u, 1u, yes);
    }
    return workgroupUniformLoad(&shared_agreement) == 1u;
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
