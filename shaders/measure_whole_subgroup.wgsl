// A subgroup per segment: the largest magnitude over its lanes. See reduce_whole_subgroup.wgsl.

fn reduce_max(v: u32, place: Place) -> u32 {
    return subgroupMax(v);
}
