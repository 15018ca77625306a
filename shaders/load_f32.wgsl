// x in storage is f32.

fn load(index: u32) -> Unit {
    return x[index];
}
