// Each of the four segments of a unit has a weight of its own.

fn weight_at(index: u32) -> Unit {
    let i = index - p.weight_offset;
    return vec4(weight_one(i, 0u), weight_one(i, 1u), weight_one(i, 2u), weight_one(i, 3u));
}

fn weight_one(i: u32, j: u32) -> f32 {
    return weight[p.weight_offset + column_of(i + j)];
}
