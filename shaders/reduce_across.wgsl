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
    // Not a loop that all lanes leave together: the driver of an H200 (580.159.04) makes NaN of that one where this is called in a
    // loop, as moments_again does.
    for (var i = place.subgroup_lane; i < place.subgroups; i += place.subgroup_size) {
        sum += shared_sums[i];
    }
    return subgroupAdd(sum);
}
