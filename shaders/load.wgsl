fn load(index: u32) -> Unit {
    return unpack(x[index]);
}
