// Weight varies along a unit, which begins at any element, and is the same for all lanes of a subgroup.

fn weight_at(index: u32) -> Unit {
    let part = index + 2u * subgroup_lane;
    return spread(vec2(weight[part], weight[part + 1u]));
}

fn weight_one(index: u32, j: u32) -> f32 {
    return weight[index + j];
}
