// Moments of one segment to its record (m, e, r, scale): y = ((x * scale - m) * r - e * r) * weight + bias.

fn record_of(t: Single) -> vec4<f32> {
    if (t.exponent >= INFINITE) {
        // The mean square of an infinity is infinite, so that finite elements become 0; all else is NaN.
        let r = select(not_a_number(), 0.0, !CENTERED && t.exponent == INFINITE);
        return vec4(select(0.0, not_a_number(), CENTERED), 0.0, r, 1.0);
    }
    var exponent = max(t.exponent, p.min_exponent);
    let constant = (bitcast<u32>(t.m2) & ABS) == 0u;
    if (constant) {
        // Nothing to scale: every x equals the mean, which x itself can hold.
        exponent = 0;
    }
    let shift = t.exponent - exponent;
    let m = scaled(t.m, shift);
    let e = scaled(t.e, shift);
    let divisor = f32(max(t.count, p.ddof + 1u) - p.ddof);
    let v = scaled(scaled(t.m2 / divisor, shift), shift);
    let eps = scaled(p.eps, -exponent);
    let r = reciprocal_deviation(v, eps, scaled(eps, select(-exponent, 0, EPS_ON_DEVIATION)));
    return vec4(m, e, r, scalar_power_of_two(-exponent));
}

// The same for moments whose exponent is 0 and that hold neither NaN nor infinity.
fn ordinary_record_of(t: Single) -> vec4<f32> {
    let divisor = f32(max(t.count, p.ddof + 1u) - p.ddof);
    return vec4(t.m, t.e, reciprocal_deviation(t.m2 / divisor, p.eps, p.eps), 1.0);
}

// `eps` is in units of the deviation, or `squared` in those of the variance v.
fn reciprocal_deviation(v: f32, eps: f32, squared: f32) -> f32 {
    if (EPS_ON_DEVIATION) {
        return 1.0 / (sqrt(v) + eps);
    }
    let variance = v + squared;
    let bits = bitcast<u32>(variance);
    if ((bits & ABS) == 0u) {
        return select(infinity(), 1.0, ZERO_IS_ONE);
    }
    if ((bits & ~ABS) != 0u) {
        return not_a_number();
    }
    return 1.0 / sqrt(variance);
}
