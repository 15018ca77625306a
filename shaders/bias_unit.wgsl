// bias varies along a unit.

fn bias_at(index: u32) -> Unit {
    return bias[index + p.bias_shift];
}
