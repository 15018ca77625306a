// Yeo and Johnson's power before a line: that of 1 + x by lambda, or below 0, negated, of 1 - x by 2 - lambda.
// Bits of f32 in and out; NaN is kept.

fn done(bits: u32, lambda: f32) -> u32 {
    let own = select(lambda, 2.0 - lambda, bits >= SIGN);
    let value = bitcast<u32>(power_of(ln_1p(bitcast<f32>(bits & ABS)), own));
    return select(value | (bits & SIGN), bits, is_missing(bits));
}

fn undone(bits: u32, lambda: f32) -> u32 {
    let own = select(lambda, 2.0 - lambda, bits >= SIGN);
    let z = bitcast<f32>(bits & ABS);
    if (is_missing(bits)) {
        return bits;
    }
    if (is_no_power(z, own)) {
        return NO_VALUE;
    }
    return bitcast<u32>(exp_m1(logarithm_of(z, own))) | (bits & SIGN);
}
