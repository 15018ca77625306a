// A workgroup of several subgroups per segment: the largest magnitude over its lanes, and votes. See reduce_workgroup.wgsl.

var<workgroup> shared_max: array<u32, WORKGROUP / 4u>;

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
