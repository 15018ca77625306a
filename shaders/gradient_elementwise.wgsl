// Gradients of units of a scalar or a vector type: component by component.

fn times(a: Unit, b: Unit) -> Unit {
    return a * b;
}

fn over(a: Unit, b: Unit) -> Unit {
    return a / b;
}

// Adds a gradient to s, and its products with x_hat to q.
fn absorb_gradient(g: Unit, x_hat: Unit, s: ptr<function, Sum>, q: ptr<function, Sum>) {
    *s += g;
    *q += g * x_hat;
}

// dx of a unit: see gradient_coefficients.wgsl.
fn gradient_of(x: Unit, g: Unit, x_hat: Unit, k: Coefficients, n: Normalizer) -> Unit {
    // Given statistics do not depend on x, be it finite or not.
    if (GIVEN) {
        return (g * n.r) * n.scale;
    }
    return (((g - k.a) - direction(x, x_hat, k) * k.b) * n.r) * n.scale;
}
