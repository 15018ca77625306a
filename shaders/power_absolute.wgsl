// The statistic sums magnitudes: p-norm of p = 1.

// Scaled values have powers that can be summed.
fn shift_power(by: Ints) {}

fn power(v: Sum) -> Sum {
    return abs(v);
}

fn join(a: Sum, b: Sum) -> Sum {
    return a + b;
}

fn join_one(a: f32, b: f32) -> f32 {
    return a + b;
}

fn rescaled(q: Real, scale: Real) -> Real {
    return q * scale;
}

fn root(q: f32) -> Root {
    return Root(q, 0);
}
