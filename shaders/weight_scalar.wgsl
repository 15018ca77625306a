// Weight is constant along a unit.

fn weight_at(index: u32) -> Unit {
    return splat(weight_one(index, 0u));
}

fn weight_one(index: u32, j: u32) -> f32 {
    return weight[index];
}
