// Gradients of units of sixteen elements.

fn times(a: Unit, b: Unit) -> Unit {
    return Unit(a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]);
}

fn over(a: Unit, b: Unit) -> Unit {
    return Unit(a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]);
}

// Adds a gradient to s, and its products with x_hat to q.
fn absorb_gradient(g: Unit, x_hat: Unit, s: ptr<function, Sum>, q: ptr<function, Sum>) {
    *s += (g[0] + g[1]) + (g[2] + g[3]);
    *q += (g[0] * x_hat[0] + g[1] * x_hat[1]) + (g[2] * x_hat[2] + g[3] * x_hat[3]);
}

fn gradient_of_column(x: vec4<f32>, g: vec4<f32>, x_hat: vec4<f32>, k: Coefficients, n: Normalizer) -> vec4<f32> {
    // Given statistics do not depend on x, be it finite or not.
    if (GIVEN) {
        return (g * n.r) * n.scale;
    }
    return (((g - k.a) - direction(x, x_hat, k) * k.b) * n.r) * n.scale;
}

// dx of a unit: see gradient_coefficients.wgsl.
fn gradient_of(x: Unit, g: Unit, x_hat: Unit, k: Coefficients, n: Normalizer) -> Unit {
    return Unit(
        gradient_of_column(x[0], g[0], x_hat[0], k, n),
        gradient_of_column(x[1], g[1], x_hat[1], k, n),
        gradient_of_column(x[2], g[2], x_hat[2], k, n),
        gradient_of_column(x[3], g[3], x_hat[3], k, n),
    );
}
