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

// Exponents that say more than a scale. They survive every combine, the largest winning.
const NOTHING: i32 = -4096;  // all values are 0, or there are none
const INFINITE: i32 = 4096;  // an infinity is among the values, but no NaN
const INVALID: i32 = 4097;   // a NaN is

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
        let sum = rescaled(a.m2, scale_a * (a.m / m)) + rescaled(b.m2, scale_b * (b.m / m));
        return Moments(m, Real(0.0), sum, exponent, count);
    }
    let m2 = join_real(rescaled(a.m2, scale_a), rescaled(b.m2, scale_b));
    if (!CENTERED) {
        return Moments(Real(0.0), Real(0.0), m2, exponent, count);
    }
    let n = f32(max(count, 1u));
    let wa = f32(a.count) / n;
    let wb = f32(b.count) / n;
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

// Ordinary chunks: |k| <= 2^45 and 2^-90 <= q <= 2^96, so that no combine of 2^31 of them can overflow, and no
// square that matters is lost below the normal range.
const K_LOW: u32 = 0x35800000u;   // 2^-20: a constant this large differs from 0 by more than rounding
const K_HIGH: u32 = 0x56000000u;  // 2^45
const Q_LOW: u32 = 0x12800000u;   // 2^-90
const Q_HIGH: u32 = 0x6f800000u;  // 2^96

// True where the sums of a chunk are out of the ordinary (by bits, so that NaN and infinity count).
fn is_extreme(k: Real, q: Real) -> bool {
    let size = bitcast<Bits>(k) & Bits(ABS);
    let sum = bitcast<Bits>(q) & Bits(ABS);
    if (all((sum >= Bits(Q_LOW)) & (sum <= Bits(Q_HIGH)) & (size <= Bits(K_HIGH)))) {
        return false;
    }
    let constant = (sum == Bits(0u)) & (size >= Bits(K_LOW));
    return any(((sum < Bits(Q_LOW)) & !constant) | (sum > Bits(Q_HIGH)) | (size > Bits(K_HIGH)));
}

// True where the pivot of a chunk is more than sqrt(3) standard deviations from its mean, so that the squares about it
// have lost two bits of those about the mean. (At one standard deviation, a mean of eight elements as the pivot would be
// refused by every second group of 128 segments that walk in step.)
fn is_off_center(s: Real, q: Real, count: u32) -> bool {
    return CENTERED && any(s * s > q * (0.75 * f32(count)));
}

// The exponent for values whose largest magnitude has these bits: 0 for ordinary values, whose squares f32 can sum. The
// largest are left at up to 8, so that what they are multiplied by is a normal number even over unit_of.
fn exponent_of(largest: Bits) -> Ints {
    let exponent = clamp(Ints(largest >> Bits(23u)) - Ints(127), Ints(-126), Ints(125));
    let ordinary = (largest >= Bits(K_LOW)) & (largest <= Bits(select(K_HIGH, 0u, ANY_POWER)));
    let special = select(Ints(INFINITE), Ints(INVALID), largest > Bits(INFINITY));
    let finite = select(select(exponent, Ints(0), ordinary), Ints(NOTHING), largest == Bits(0u));
    return select(finite, special, largest >= Bits(INFINITY));
}

// What the exponent leaves of the largest magnitude, from 1 to 2; 1 where only exponents are scaled by.
fn unit_of(largest: Bits) -> Real {
    let mantissa = bitcast<Real>((largest & Bits(0x7fffffu)) | Bits(0x3f800000u));
    let ordinary = (largest >= Bits(0x00800000u)) & (largest < Bits(select(0u, INFINITY, ANY_POWER)));
    return select(Real(1.0), mantissa, ordinary);
}

// What values of that largest magnitude are multiplied by: 1 where there is nothing to scale, or no sense in it.
fn scale_of(largest: Bits) -> Real {
    let exponent = exponent_of(largest);
    let inside = (exponent >= Ints(-126)) & (exponent <= Ints(126));
    let scale = power_of_two(select(Ints(0), -exponent, inside));
    if (ANY_POWER) {
        return scale / unit_of(largest);
    }
    // Not over 1: a division may be off by more than a rounding, and a scale that is no power of two rounds x.
    return scale;
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
