// A subgroup per segment: the largest magnitude over its lanes, and votes. See reduce_whole_subgroup.wgsl.

fn reduce_max(v: u32, place: Place) -> u32 {
    return subgroupMax(v);
}

// True if `yes` is, of all segments whose invocations go on together.
fn all_agree(yes: bool, place: Place) -> bool {
    return subgroupAll(yes);
}
