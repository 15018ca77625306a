// Powers by their logarithms.

// (v^lambda - 1) / lambda of v = exp(l), which is l for 0.
fn power_of(l: f32, lambda: f32) -> f32 {
    if (lambda == 0.0) {
        return l;
    }
    return exp_m1(lambda * l) / lambda;
}

// Whether no l has this power; else the l that has.
fn is_no_power(z: f32, lambda: f32) -> bool {
    return lambda * z <= -1.0;
}

fn logarithm_of(z: f32, lambda: f32) -> f32 {
    if (lambda == 0.0) {
        return z;
    }
    return ln_1p(lambda * z) / lambda;
}
