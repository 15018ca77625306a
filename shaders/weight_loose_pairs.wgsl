// Weight varies along a unit, which begins at an even element, and is the same for all lanes of a subgroup.

fn weight_at(index: u32) -> Unit {
    return spread(halves(weight_pairs[(index) / 2u + subgroup_lane]));
}

fn weight_one(index: u32, j: u32) -> f32 {
    return weight[index + j];
}
