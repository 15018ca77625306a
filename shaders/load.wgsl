fn load_for_sums(index: u32) -> Unit {
    return load(index);
}

fn load(index: u32) -> Unit {
    return unpack(x[index]);
}
