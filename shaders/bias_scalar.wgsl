// Bias is constant along a unit.

fn bias_at(index: u32) -> Unit {
    return splat(bias[index + select(0u, p.bias_shift, SHIFTED)]);
}
