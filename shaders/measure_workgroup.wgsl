// A workgroup of several subgroups per segment: the largest magnitude over its lanes. See reduce_workgroup.wgsl.

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
