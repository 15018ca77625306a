// The coefficients of a channel that was renormalized: x_hat = ratio x_hat' + shift, where x_hat' is that of the batch alone,
// on which ratio and shift do not depend (Ioffe 2017, section 3).
//   dx = r ratio (g - mean(g) - x_hat' mean(g x_hat'))
//      = r ratio (g - (mean(g) - shift b) - x_hat b),   b = (mean(g x_hat) - shift mean(g)) / ratio^2
// The record holds r ratio.

fn settled_coefficients(t: Sums, n: Normalizer, index: u32, count: f32, freedom: f32) -> Coefficients {
    let correction = corrections[index];
    let ratio = correction.x;
    let shift = correction.y;
    let q = ((t.q - shift * t.s) / ratio) / ratio;
    var k = coefficients_over(Sums(t.s, q, t.largest, t.ties), n, count, freedom);
    k.a -= shift * k.b;
    return k;
}
