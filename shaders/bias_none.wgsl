// There is no bias.

fn bias_at(index: u32) -> Unit {
    return splat(0.0);
}

fn bias_one(index: u32, j: u32) -> f32 {
    return 0.0;
}
