// Loads of units that begin at any element, element by element.

const SUMS_WHOLE_PAIRS: bool = false;

fn load_for_sums(index: u32) -> Unit {
    return load(index);
}

fn load(index: u32) -> Unit {
    return Unit(
        vec4(x[index], x[index + 2u], x[index + 4u], x[index + 6u]),
        vec4(x[index + 1u], x[index + 3u], x[index + 5u], x[index + 7u]),
        vec4(x[index + 8u], x[index + 10u], x[index + 12u], x[index + 14u]),
        vec4(x[index + 9u], x[index + 11u], x[index + 13u], x[index + 15u]),
    );
}
