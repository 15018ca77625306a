// Bias is constant along a unit.

fn bias_at(index: u32) -> Unit {
    return splat(bias_one(index, 0u));
}

fn bias_one(index: u32, j: u32) -> f32 {
    return bias[index + select(0u, p.bias_shift, SHIFTED)];
}
