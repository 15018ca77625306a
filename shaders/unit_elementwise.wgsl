// What units of a scalar or a vector type share: arithmetic on them is component by component.

fn splat(v: f32) -> Unit {
    return Unit(v);
}

// Adds the unit's deviations from k and their powers.
fn absorb(u: Unit, k: Real, s: ptr<function, Sum>, q: ptr<function, Sum>) {
    let d = u - k;
    *s += d;
    *q = join(*q, power(d));
}

fn center_and_scale(u: Unit, n: Normalizer) -> Unit {
    return (u * n.scale - n.m) * n.r + n.c;
}

fn affine(u: Unit, weight: Unit, bias: Unit) -> Unit {
    return u * weight + bias;
}
