// bias varies along a unit.

fn bias_at(index: u32) -> Unit {
    return unpack(bias[index + p.bias_shift]);
}
