// Bias varies along a unit and is the same for all lanes of a subgroup.

fn bias_at(index: u32) -> Unit {
    return spread_part(bias[(index + select(0u, p.bias_shift, SHIFTED)) * SHARERS + subgroup_lane]);
}
