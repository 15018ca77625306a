// How the norm of a segment grows with its elements: with sign(x_hat) |x_hat|^(p - 1). p.power is p - 1; where an element
// is 0 so is this, for p below 1 too (as PyTorch has it).

fn direction(x: Sum, x_hat: Sum, k: Coefficients) -> Sum {
    return sign(x_hat) * narrow_sum(raised(vec4<f32>(abs(x_hat)), vec4(0)));
}
