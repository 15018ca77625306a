// Infinities count as missing.

fn done(bits: u32, lambda: f32) -> u32 {
    return select(bits, NO_VALUE, (bits & ABS) >= INFINITY);
}
