// Sums over the subgroups of a workgroup, in order. One barrier, since two halves of the memory take turns: who writes one has
// seen all others past the barrier behind which the last of them read it.
// Chosen when: software adapters, where barriers cost more than adding.

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
