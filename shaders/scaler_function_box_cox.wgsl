// Box and Cox's power before a line: (x^lambda - 1) / lambda, ln(x) for 0; of x > 0. Bits of f32 in and out; NaN is kept.

fn done(bits: u32, lambda: f32) -> u32 {
    if (is_missing(bits)) {
        return bits;
    }
    if (bits == 0u || bits >= SIGN) {
        return NO_VALUE;
    }
    return bitcast<u32>(power_of(ln(bits), lambda));
}

fn undone(bits: u32, lambda: f32) -> u32 {
    let z = bitcast<f32>(bits);
    if (is_missing(bits)) {
        return bits;
    }
    if (is_no_power(z, lambda)) {
        return NO_VALUE;
    }
    return bitcast<u32>(exp_of(logarithm_of(z, lambda)));
}
