// There is no weight.

fn weight_at(index: u32) -> Unit {
    return splat(1.0);
}

fn weight_one(index: u32, j: u32) -> f32 {
    return 1.0;
}
