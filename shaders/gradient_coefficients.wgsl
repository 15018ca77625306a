// What dx of a segment takes besides its own elements. With g = dy weight, n the length of the segment, and r = 1 / sqrt(var + eps):
//   dx = r (g - a - x_hat b)
//   a = mean(g), 0 where there is no center;  b = sum(g x_hat) / (n - ddof)
// from dx = r (g - mean(g)) - (x - mean) r^3 sum(g (x - mean)) / n (Ioffe and Szegedy 2015, section 3).
// Where eps is added to the deviation (EPS_ON_DEVIATION), r = 1 / (deviation + eps), and b gets the factor
// (deviation + eps) / deviation. For a norm, r = 1 / norm, b = sum(g x_hat), and x_hat b becomes direction b. Where eps takes
// the place of the norm (AtLeast), it does not depend on x: b = 0.

struct Coefficients {
    a: Real,
    b: Real,
    largest: Bits,  // magnitude of x, and how many have it: for the norm of infinite p
    ties: Real,
}

fn coefficients_of(t: Sums, n: Normalizer) -> Coefficients {
    return coefficients_over(t, n, f32(p.count), own_freedom());
}

fn own_freedom() -> f32 {
    return f32(max(p.count, p.ddof + 1u) - p.ddof);
}

// Of segments of so many elements, in so many degrees of freedom.
fn coefficients_over(t: Sums, n: Normalizer, count: f32, freedom: f32) -> Coefficients {
    var a = Real(0.0);
    if (CENTERED) {
        a = t.s / count;
    }
    var b = t.q;
    if (!NORM) {
        b = t.q / freedom;
    }
    if (EPS_ON_DEVIATION) {
        // deviation / (deviation + eps); 0 for a constant segment, whose x_hat is 0.
        let share = Real(1.0) - (n.r * n.scale) * p.eps;
        b = select(Real(0.0), b / share, share > Real(0.0));
    }
    if (AT_LEAST) {
        // r is 1 / eps but for a rounding or two of the division.
        b = select(b, Real(0.0), (n.r * n.scale) * p.eps > Real(0.9999997));
    }
    return Coefficients(a, b, t.largest, Real(max(t.ties, Bits(1u))));
}
