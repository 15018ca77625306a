// Bias varies along a unit, which begins at any element.

fn bias_at(index: u32) -> Unit {
    let first = index + select(0u, p.bias_shift, SHIFTED);
    return Unit(
        vec4(bias[first], bias[first + 2u], bias[first + 4u], bias[first + 6u]),
        vec4(bias[first + 1u], bias[first + 3u], bias[first + 5u], bias[first + 7u]),
        vec4(bias[first + 8u], bias[first + 10u], bias[first + 12u], bias[first + 14u]),
        vec4(bias[first + 9u], bias[first + 11u], bias[first + 13u], bias[first + 15u]),
    );
}

fn bias_one(index: u32, j: u32) -> f32 {
    return bias[index + select(0u, p.bias_shift, SHIFTED) + j];
}
