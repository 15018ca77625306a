// ln(x) before a scaler, of x > 0. Bits of f32 in and out; NaN is kept.

fn done(bits: u32, lambda: f32) -> u32 {
    if (is_missing(bits)) {
        return bits;
    }
    if (bits == 0u || bits >= SIGN) {
        return NO_VALUE;
    }
    return bitcast<u32>(ln(bits));
}

fn undone(bits: u32, lambda: f32) -> u32 {
    return select(bitcast<u32>(exp_of(bitcast<f32>(bits))), bits, is_missing(bits));
}
