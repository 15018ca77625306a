// Bias varies along a unit.

fn bias_at(index: u32) -> Unit {
    return unpack(bias[index + select(0u, p.bias_shift, SHIFTED)]);
}
