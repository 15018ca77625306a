// Weight varies along a unit and is the same for all lanes of a subgroup.

fn weight_at(index: u32) -> Unit {
    return spread_part(weight[index * SHARERS + subgroup_lane]);
}
