// There is no weight.

fn weight_at(index: u32) -> Unit {
    return splat(1.0);
}
