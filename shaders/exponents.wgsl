// Powers of two that bring values to where f32 can sum what it makes of them.

// Exponents that say more than a scale. They survive every combine, the largest winning.
const NOTHING: i32 = -4096;  // all values are 0, or there are none
const INFINITE: i32 = 4096;  // an infinity is among the values, but no NaN
const INVALID: i32 = 4097;   // a NaN is

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

// The most that x is scaled down by, so that what it is multiplied by is a normal number even over unit_of. Squares can be
// summed of what is left of the largest, up to 8; of other powers see shift_power.
const MOST_SCALED: i32 = 125;

// The exponent for values whose largest magnitude has these bits: 0 for ordinary values, whose squares f32 can sum.
fn exponent_of(largest: Bits) -> Ints {
    let most = select(MOST_SCALED, 127, ANY_POWER);
    let exponent = clamp(Ints(largest >> Bits(23u)) - Ints(127), Ints(-126), Ints(most));
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

// What values of that largest magnitude are multiplied by: 1 where there is nothing to scale, or no sense in it. What is left to
// scale by is left to the power.
fn scale_of(largest: Bits) -> Real {
    let exponent = exponent_of(largest);
    let inside = (exponent >= Ints(-126)) & (exponent <= Ints(127));
    let down = min(exponent, Ints(MOST_SCALED));
    let scale = power_of_two(select(Ints(0), -down, inside));
    shift_power(select(Ints(0), down - exponent, inside));
    if (ANY_POWER) {
        return scale / unit_of(largest);
    }
    // Not over 1: a division may be off by more than a rounding, and a scale that is no power of two rounds x.
    return scale;
}
