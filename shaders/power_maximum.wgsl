// The statistic takes the largest magnitude: p-norm of infinite p. Magnitudes are compared by their bits, in whose order
// a NaN is the largest.

// Scaled values have powers that can be summed.
fn shift_power(by: Ints) {}

fn power(v: Sum) -> Sum {
    return abs(v);
}

fn join(a: Sum, b: Sum) -> Sum {
    return select(a, b, sum_bits(b) > sum_bits(a));
}

fn join_one(a: f32, b: f32) -> f32 {
    return select(a, b, bitcast<u32>(b) > bitcast<u32>(a));
}

fn rescaled(q: Real, scale: Real) -> Real {
    return q * scale;
}

fn root(q: f32) -> Root {
    return Root(q, 0);
}
