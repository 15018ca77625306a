// Weight varies along a unit, which begins at any element.

fn weight_at(index: u32) -> Unit {
    return Unit(
        vec4(weight[index], weight[index + 2u], weight[index + 4u], weight[index + 6u]),
        vec4(weight[index + 1u], weight[index + 3u], weight[index + 5u], weight[index + 7u]),
        vec4(weight[index + 8u], weight[index + 10u], weight[index + 12u], weight[index + 14u]),
        vec4(weight[index + 9u], weight[index + 11u], weight[index + 13u], weight[index + 15u]),
    );
}

fn weight_one(index: u32, j: u32) -> f32 {
    return weight[index + j];
}
