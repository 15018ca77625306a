// As weight_loose_shared.wgsl, for four lanes.

fn weight_at(index: u32) -> Unit {
    let part = index + 4u * subgroup_lane;
    return spread(vec4(weight[part], weight[part + 1u], weight[part + 2u], weight[part + 3u]));
}

fn weight_one(index: u32, j: u32) -> f32 {
    return weight[index + j];
}
