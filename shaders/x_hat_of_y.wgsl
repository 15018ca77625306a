// x_hat of a unit of y: y is bound in the place of x, and what was done to x_hat is undone,
//   x_hat = (y - bias) / weight

fn x_hat_at(u: Unit, c: Cursor, weight: Unit, n: Normalizer) -> Unit {
    return over(u - bias_at(c.weight), weight);
}
