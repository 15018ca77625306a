// The power of a window that local response normalization multiplies by.

// What the elements of a window make: the sum of their squares in units of 4^exponent.
struct Window {
    sum: Real,
    exponent: Ints,
}

// The window about the element of a channel, which lies at x.
fn window_at(x: u32, channel: u32) -> Window {
    let before = min(p.window_left, channel);
    let after = min(p.window_right, p.channels - 1u - channel);
    return window_of(x - before * p.window_step, before + 1u + after);
}

// The window of `count` elements from `first` on.
fn window_of(first: u32, count: u32) -> Window {
    let sum = squares(first, count, Real(1.0));
    if (!is_extreme(Real(0.0), sum)) {
        return Window(sum, Ints(0));
    }
    // Squares that overflow or vanish: in units of the largest element.
    var largest = Bits(0u);
    for (var i = 0u; i < count; i++) {
        largest = max(largest, magnitude(load(first + i * p.window_step)));
    }
    return Window(squares(first, count, scale_of(largest)), exponent_of(largest));
}

// The sum of the squares of scaled elements; in groups, so that few roundings follow each other.
fn squares(first: u32, count: u32, scale: Real) -> Real {
    var sum = Real(0.0);
    var group = Real(0.0);
    for (var i = 0u; i < count; i++) {
        let v = load(first + i * p.window_step) * scale;
        group += v * v;
        if (i % 64u == 63u) {
            sum += group;
            group = Real(0.0);
        }
    }
    return sum + group;
}

// A power, as raise.wgsl takes it, and the sign of a negative number raised to it: 1, -1, or 0 for NaN.
struct Power {
    high: f32,
    low: f32,
    negative_base: i32,
}

// x (k + window_scale * sum * 4^exponent)^power 2^shift. Exponents may say more than a scale: see moments.wgsl.
fn response(x: vec4<f32>, window: Window, power: Power, shift: vec4<i32>) -> vec4<f32> {
    let sum = vec4<f32>(window.sum);
    let exponent = vec4<i32>(window.exponent);
    let scales = (exponent >= vec4(-126)) & (exponent <= vec4(126));
    let twice = select(vec4(0), exponent * 2, scales);
    let terms = select(vec4(0.0), sum, exponent < vec4(INFINITE)) * p.window_scale;
    // Either k is brought to the scale of the sum, or, where that is far below it, the sum to that of k.
    let small = (twice < vec4(0)) & vec4(p.window_k != 0.0);
    let extra = select(twice, vec4(0), small);
    let base = scaled_by(vec4(p.window_k), -extra) + scaled_by(terms, twice - extra);

    let bits = bitcast<vec4<u32>>(base) & vec4(ABS);
    let t = raise(bitcast<vec4<f32>>(bits), extra, power.high, power.low);
    var y = scaled_by(x * t.fraction, t.exponent + shift);
    if (power.negative_base <= 0) {
        let other = select(vec4(not_a_number()), -y, power.negative_base < 0);
        y = select(y, other, bitcast<vec4<u32>>(base) != bits);
    }
    // 0 or infinity to a power is either of them.
    y = select(y, limit(x, power.high < 0.0), bits < vec4(MIN_NORMAL));
    y = select(y, limit(x, power.high > 0.0), (bits >= vec4(INFINITY)) | (exponent == vec4(INFINITE)));
    y = select(y, vec4(not_a_number()), (bits > vec4(INFINITY)) | (exponent == vec4(INVALID)));
    // Any number to the power 0 is 1, a NaN too.
    return select(y, scaled_by(x, shift), power.high == 0.0);
}

// x times infinity, or x times 0.
fn limit(x: vec4<f32>, infinite: bool) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x) & vec4(ABS);
    let sign = bitcast<vec4<u32>>(x) ^ bits;
    let nan = vec4(not_a_number());
    if (infinite) {
        let huge = bitcast<vec4<f32>>(sign | vec4(bitcast<u32>(infinity())));
        return select(huge, nan, (bits == vec4(0u)) | (bits > vec4(INFINITY)));
    }
    return select(bitcast<vec4<f32>>(sign), nan, bits >= vec4(INFINITY));
}
