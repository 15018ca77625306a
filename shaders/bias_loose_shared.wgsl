// Bias varies along a unit, which begins at any element, and is the same for all lanes of a subgroup.

fn bias_at(index: u32) -> Unit {
    let part = index + select(0u, p.bias_shift, SHIFTED) + 2u * subgroup_lane;
    return spread(vec2(bias[part], bias[part + 1u]));
}

fn bias_one(index: u32, j: u32) -> f32 {
    return bias[index + select(0u, p.bias_shift, SHIFTED) + j];
}
