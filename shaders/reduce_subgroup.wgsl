// Part of a subgroup per segment. Reductions over LANES lanes are log2(LANES) shuffles each, no barriers.
// Chosen when: segments that part of a subgroup can hold.

struct Place {
    slot: u32,  // segment of the workgroup
    lane: u32,  // of the segment
}

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    var sum = v;
    for (var mask = 1u; mask < LANES; mask *= 2u) {
        sum += subgroupShuffleXor(sum, mask);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    rows_of(group, groups, Place(subgroup * (size / LANES) + lane / LANES, lane % LANES));
}
