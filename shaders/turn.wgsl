// Turns registers round by one, with indices that are known when the shader is compiled.

fn turn(registers: ptr<private, Registers>) {
    let first = (*registers)[0];
    for (var i = 1u; i < UNITS; i++) {
        (*registers)[i - 1u] = (*registers)[i];
    }
    (*registers)[UNITS - 1u] = first;
}
