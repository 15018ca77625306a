// There is no bias.

fn bias_at(index: u32) -> Unit {
    return splat(0.0);
}
