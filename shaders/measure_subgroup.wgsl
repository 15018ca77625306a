// Part of a subgroup per segment: the largest magnitude over its lanes. See reduce_subgroup.wgsl.

fn reduce_max(v: u32, place: Place) -> u32 {
    var largest = v;
    for (var mask = 1u; mask < LANES; mask *= 2u) {
        largest = max(largest, subgroupShuffleXor(largest, mask));
    }
    return largest;
}
