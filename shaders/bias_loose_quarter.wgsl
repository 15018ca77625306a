// As bias_loose_shared.wgsl, for four lanes.

fn bias_at(index: u32) -> Unit {
    let part = index + select(0u, p.bias_shift, SHIFTED) + 4u * subgroup_lane;
    return spread(vec4(bias[part], bias[part + 1u], bias[part + 2u], bias[part + 3u]));
}

fn bias_one(index: u32, j: u32) -> f32 {
    return bias[index + select(0u, p.bias_shift, SHIFTED) + j];
}
