// How the scale of a segment grows with its elements: with x_hat, where it is a root of squares.

fn direction(x: Sum, x_hat: Sum, k: Coefficients) -> Sum {
    return x_hat;
}
