// ln(1 + x) before a scaler, of x > -1. Bits of f32 in and out; NaN is kept.

fn done(bits: u32, lambda: f32) -> u32 {
    if (is_missing(bits)) {
        return bits;
    }
    if (bits >= 0xbf800000u) {
        return NO_VALUE;
    }
    return bitcast<u32>(ln_1p(bitcast<f32>(bits)));
}

fn undone(bits: u32, lambda: f32) -> u32 {
    return select(bitcast<u32>(exp_m1(bitcast<f32>(bits))), bits, is_missing(bits));
}
