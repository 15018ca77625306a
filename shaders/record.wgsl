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
    var r: f32;
    if (EPS_ON_DEVIATION) {
        r = 1.0 / (sqrt(v) + scaled(p.eps, -exponent));
    } else {
        let variance = v + scaled(scaled(p.eps, -exponent), -exponent);
        let bits = bitcast<u32>(variance);
        if ((bits & ABS) == 0u) {
            r = select(infinity(), 1.0, ZERO_IS_ONE);
        } else if ((bits & ~ABS) != 0u) {
            r = not_a_number();
        } else {
            r = 1.0 / sqrt(variance);
        }
    }
    return vec4(m, e, r, scalar_power_of_two(-exponent));
}
