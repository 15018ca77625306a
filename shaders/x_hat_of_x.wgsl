// x_hat of a unit of x, by the record of its segment.

fn x_hat_at(u: Unit, c: Cursor, weight: Unit, n: Normalizer) -> Unit {
    return center_and_scale(u, n);
}
