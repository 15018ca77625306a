// The sum of powers of one segment to its record (0, 0, r, scale): y = x * scale * r * weight + bias.

fn record_of(t: Single) -> vec4<f32> {
    if (t.exponent >= INFINITE) {
        // Beside an infinity, finite elements become 0; all else is NaN.
        return vec4(0.0, 0.0, select(not_a_number(), 0.0, t.exponent == INFINITE), 1.0);
    }
    var exponent = 0;
    var norm = 0.0;
    if ((bitcast<u32>(t.m2) & ABS) != 0u) {
        // The norm lies between 2^size and twice that; no element is larger. For p below 1 it may be beyond f32 where the
        // sum is not.
        var root = root(t.m2);
        root.fraction *= select(1.0, t.m, ANY_POWER);
        let size = root.exponent + t.exponent + i32(bitcast<u32>(root.fraction) >> 23u) - 127;
        exponent = max(select(clamp(size, -126, 126), 0, abs(size) <= 64), p.min_exponent);
        norm = scaled(root.fraction, root.exponent + t.exponent - exponent);
    } else if (ZERO_IS_ZERO) {
        return vec4(0.0, 0.0, 0.0, 1.0);
    }
    let divisor = max(norm, scaled(p.eps, -exponent));
    let r = select(1.0 / divisor, infinity(), (bitcast<u32>(divisor) & ABS) == 0u);
    return vec4(0.0, 0.0, r, scalar_power_of_two(-exponent));
}

// Norms have no shorter way.
fn ordinary_record_of(t: Single) -> vec4<f32> {
    return record_of(t);
}
