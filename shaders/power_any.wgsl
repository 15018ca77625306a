// The statistic sums powers of magnitudes: p-norm of any p.

// Values are raised as if multiplied by 2 to this: what their scale has left of the largest, whose powers could not be summed.
var<private> power_shift: Ints;

fn shift_power(by: Ints) {
    power_shift = by;
}

fn raised(v: vec4<f32>, shift: vec4<i32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(v);
    let t = raise(v, shift, p.power_high, p.power_low);
    let value = scaled_by(t.fraction, t.exponent);
    // What is subnormal counts as 0; NaN and infinity stay, to be found.
    let ordinary = select(value, vec4(0.0), bits < vec4(MIN_NORMAL));
    return select(ordinary, v, bits >= vec4(INFINITY));
}

fn power(v: Sum) -> Sum {
    return narrow_sum(raised(vec4<f32>(abs(v)), vec4<i32>(power_shift)));
}

fn join(a: Sum, b: Sum) -> Sum {
    return a + b;
}

fn join_one(a: f32, b: f32) -> f32 {
    return a + b;
}

fn rescaled(q: Real, scale: Real) -> Real {
    return q * narrow_real(raised(vec4<f32>(scale), vec4(0)));
}

fn root(q: f32) -> Root {
    let t = raise(vec4(q), vec4(0), p.root_high, p.root_low);
    return Root(t.fraction.x, t.exponent.x);
}
