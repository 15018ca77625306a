// The moments of a set of values, scaled by a power of two where f32 could not hold them:
//   mean = (m + e) * 2^exponent,   sum((x - mean)^2) = m2 * 4^exponent
// Ordinary values have exponent 0. The mean is a pair: m is its f32 rounding and e the rest.
// Without a center (mean square, p-norm), m = e = 0 and m2 is the sum of the squares, or of what power() makes of x.
// Other powers than 1 and 2 go beyond f32 however x is scaled by powers of two: with ANY_POWER, m2 is the sum of
// (|x| / (m 2^exponent))^p, the divisor being 1 or the largest |x|.

struct Moments {
    m: Real,
    e: Real,
    m2: Real,
    exponent: Ints,
    count: u32,
}

// What invocations combine.
alias Partial = Moments;

// m where there is no mean.
const UNIT: Real = Real(select(0.0, 1.0, ANY_POWER));

fn identity() -> Moments {
    return Moments(UNIT, Real(0.0), Real(0.0), Ints(NOTHING), 0u);
}

// Chan, Golub and LeVeque (1983), with the mean as a pair:
//   d = mean_b - mean_a,  mean = mean_a + d n_b / n,  m2 = m2_a + m2_b + d^2 n_a n_b / n
fn combine(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let exponent = max(a.exponent, b.exponent);
    let scale_a = power_of_two(a.exponent - exponent);
    let scale_b = power_of_two(b.exponent - exponent);
    if (ANY_POWER) {
        let in_a = (a.exponent > b.exponent) | ((a.exponent == b.exponent) & (a.m >= b.m));
        let m = select(b.m, a.m, in_a);
        // A device may round m / m, and every merge would add to that.
        let share_a = select(a.m / m, Real(1.0), a.m == m);
        let share_b = select(b.m / m, Real(1.0), b.m == m);
        let sum = rescaled(a.m2, scale_a * share_a) + rescaled(b.m2, scale_b * share_b);
        return Moments(m, Real(0.0), sum, exponent, count);
    }
    let m2 = join_real(rescaled(a.m2, scale_a), rescaled(b.m2, scale_b));
    if (!CENTERED) {
        return Moments(Real(0.0), Real(0.0), m2, exponent, count);
    }
    let n = f32(max(count, 1u));
    // A device may round n / n.
    let wa = select(f32(a.count) / n, 1.0, b.count == 0u);
    let wb = select(f32(b.count) / n, 1.0, a.count == 0u);
    let ma = a.m * scale_a;
    let mb = b.m * scale_b;
    let ea = a.e * scale_a;
    let eb = b.e * scale_b;
    let d = (opaque(mb - ma) - ea) + eb;
    let m = opaque(ma + (ea + d * wb));
    let e = (opaque(ma - m) + ea) * wa + (opaque(mb - m) + eb) * wb;
    return Moments(m, e, m2 + d * d * (f32(a.count) * wb), exponent, count);
}

// The moments of `count` values from s = sum(x - k) and q = sum((x - k)^2) in units of 2^exponent.
fn moments_about(k: Real, s: Real, q: Real, count: u32, exponent: Ints) -> Moments {
    if (!CENTERED) {
        return Moments(UNIT, Real(0.0), q, exponent, count);
    }
    let n = f32(count);
    let shift = s / n;
    let m2 = max(q - shift * (shift * n), Real(0.0));
    let m = opaque(k + shift);
    return Moments(m, opaque(k - m) + shift, m2, exponent, count);
}

// True where the pivot of a chunk is more than sqrt(3) standard deviations from its mean, so that the squares about it
// have lost two bits of those about the mean. (At one standard deviation, a mean of eight elements as the pivot would be
// refused by every second group of 128 segments that walk in step.)
fn is_off_center(s: Real, q: Real, count: u32) -> bool {
    return CENTERED && any(s * s > q * (0.75 * f32(count)));
}

// As moments_about, for values that were scaled by scale_of(largest). NaN and infinities leave only the exponent.
fn moments_of_scaled(k: Real, s: Real, q: Real, count: u32, largest: Bits) -> Moments {
    let exponent = exponent_of(largest);
    let t = moments_about(k, s, q, count, exponent);
    let special = exponent >= Ints(INFINITE);
    let zero = Real(0.0);
    let m = select(t.m, unit_of(largest), Bits(select(0u, 1u, ANY_POWER)) == Bits(1u));
    return Moments(select(m, UNIT, special), select(t.e, zero, special), select(t.m2, zero, special), exponent, count);
}

// The mean in the units of x, as a pivot: any number near it will do.
fn pivot_of(t: Moments) -> Real {
    let scale = power_of_two(min(t.exponent, Ints(127)));
    return select((t.m + t.e) * scale, Real(0.0), t.exponent > Ints(126));
}
