// The sum of powers of one segment to its record (0, 0, r, scale): y = x * scale * r * weight + bias.

fn record_of(t: Single) -> vec4<f32> {
    if (t.exponent >= INFINITE) {
        // Beside an infinity, finite elements become 0; all else is NaN.
        return vec4(0.0, 0.0, select(not_a_number(), 0.0, t.exponent == INFINITE), 1.0);
    }
    var exponent = max(t.exponent, p.min_exponent);
    var norm = 0.0;
    if ((bitcast<u32>(t.m2) & ABS) == 0u) {
        if (ZERO_IS_ZERO) {
            return vec4(0.0, 0.0, 0.0, 1.0);
        }
        exponent = 0;
    } else {
        norm = root(t.m2, t.exponent - exponent);
    }
    let divisor = max(norm, scaled(p.eps, -exponent));
    let r = select(1.0 / divisor, infinity(), (bitcast<u32>(divisor) & ABS) == 0u);
    return vec4(0.0, 0.0, r, scalar_power_of_two(-exponent));
}
