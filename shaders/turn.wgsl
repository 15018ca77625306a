// Turns eight registers round by one, from the first of them on, with indices that are known when the shader is compiled. (With
// more at once, moving them takes as long as the loads.)

fn turn(registers: ptr<private, Registers>, first: u32) {
    let front = (*registers)[first];
    let last = min(first + 7u, UNITS - 1u);
    for (var i = first; i < last; i++) {
        (*registers)[i] = (*registers)[i + 1u];
    }
    (*registers)[last] = front;
}
