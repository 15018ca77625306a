// Each of the four segments of a unit has a bias of its own.

fn bias_at(index: u32) -> Unit {
    let i = index - p.weight_offset;
    return vec4(bias_one(i, 0u), bias_one(i, 1u), bias_one(i, 2u), bias_one(i, 3u));
}

fn bias_one(i: u32, j: u32) -> f32 {
    return bias[p.weight_offset + select(0u, p.bias_shift, SHIFTED) + column_of(i + j)];
}
