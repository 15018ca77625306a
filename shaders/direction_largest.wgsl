// How the norm of a segment grows with its elements, for infinite p: with the sign of the largest, which share it where
// there are several (as PyTorch has it).

fn direction(x: Sum, x_hat: Sum, k: Coefficients) -> Sum {
    let size = bitcast<Bits>(x) & Bits(ABS);
    return select(Sum(0.0), sign(x_hat) / k.ties, size == k.largest);
}
