// The coefficients of a segment from its sums, as they are.

fn settled_coefficients(t: Sums, n: Normalizer, index: u32, count: f32, freedom: f32) -> Coefficients {
    return coefficients_over(t, n, count, freedom);
}
