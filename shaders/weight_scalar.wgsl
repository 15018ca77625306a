// Weight is constant along a unit.

fn weight_at(index: u32) -> Unit {
    return splat(weight[index]);
}
