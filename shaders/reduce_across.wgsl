// Sums over the subgroups of a workgroup: each subgroup adds what all have, its lanes in turn. Two barriers.
// (H200, layer norm of 8192x8192 backward, a reduction a row, 16 subgroups: 309 us where every lane added 16 sums itself and two
// halves of the memory took turns behind one barrier, 241 with two barriers, 222 so, with the weights read again.)
// Chosen when: hardware adapters.

// As many as there can be subgroups, of at least four lanes.
var<workgroup> shared_sums: array<vec2<f32>, WORKGROUP / 4u>;

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    let part = subgroupAdd(v);
    workgroupBarrier();
    if (place.subgroup_lane == 0u) {
        shared_sums[place.subgroup] = part;
    }
    workgroupBarrier();
    var sum = vec2(0.0);
    // All lanes go the same way to the last sum: those without a subgroup of theirs add nothing.
    for (var first = 0u; first < place.subgroups; first += place.subgroup_size) {
        let subgroup = first + place.subgroup_lane;
        let there = shared_sums[min(subgroup, place.subgroups - 1u)];
        sum += select(vec2(0.0), there, subgroup < place.subgroups);
    }
    return subgroupAdd(sum);
}
