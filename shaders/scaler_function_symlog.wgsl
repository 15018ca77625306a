// sign(x) ln(1 + |x|) before a scaler. Bits of f32 in and out; NaN is kept.

fn done(bits: u32, lambda: f32) -> u32 {
    let value = bitcast<u32>(ln_1p(bitcast<f32>(bits & ABS)));
    return select(value | (bits & SIGN), bits, is_missing(bits));
}

fn undone(bits: u32, lambda: f32) -> u32 {
    let value = bitcast<u32>(exp_m1(bitcast<f32>(bits & ABS)));
    return select(value | (bits & SIGN), bits, is_missing(bits));
}
