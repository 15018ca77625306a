// Bias varies along a unit, which begins at an even element, and is the same for all lanes of a subgroup.

fn bias_at(index: u32) -> Unit {
    return spread(halves(bias_pairs[(index + select(0u, p.bias_shift, SHIFTED)) / 2u + subgroup_lane]));
}

fn bias_one(index: u32, j: u32) -> f32 {
    return bias[index + select(0u, p.bias_shift, SHIFTED) + j];
}
