// Weight varies along a unit.

fn weight_at(index: u32) -> Unit {
    return unpack(weight[index]);
}
