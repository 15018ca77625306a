// How the norm of a segment grows with its elements, for p = 1: with their signs.

fn direction(x: Sum, x_hat: Sum, k: Coefficients) -> Sum {
    return sign(x_hat);
}
