// The statistic sums squares: of deviations, or of x itself (p-norm of p = 2).

// Scaled values have powers that can be summed.
fn shift_power(by: Ints) {}

fn power(v: Sum) -> Sum {
    return v * v;
}

fn join(a: Sum, b: Sum) -> Sum {
    return a + b;
}

fn join_one(a: f32, b: f32) -> f32 {
    return a + b;
}

// A sum of squares of values that are multiplied by `scale`.
fn rescaled(q: Real, scale: Real) -> Real {
    return (q * scale) * scale;
}

fn root(q: f32) -> Root {
    return Root(sqrt(q), 0);
}
