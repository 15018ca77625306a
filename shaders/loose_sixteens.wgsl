// Loads of units that begin at a multiple of sixteen elements, from x seen as such units: software adapters pay for every access,
// for its parts, and for whether it is inside.

const SUMS_WHOLE_PAIRS: bool = false;

fn load_for_sums(index: u32) -> Unit {
    return load(index);
}

fn load(index: u32) -> Unit {
    return unpack(x_pairs[index / 16u]);
}
