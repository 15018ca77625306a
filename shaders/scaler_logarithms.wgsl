// Logarithms and exponentials of f32 to a few units in the last place, whatever the device's own are off by.

// ln(v) of v above 0, by its bits. v = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2);
// ln(1 + f) = 2 atanh(s), s = f / (2 + f) (fdlibm's, whose coefficients these are).
fn ln(bits: u32) -> f32 {
    var normal = bits;
    var k = 0;
    if (bits < 0x00800000u) {
        let shift = countLeadingZeros(bits) - 8u;
        normal = bits << shift;
        k = -i32(shift);
    }
    let shifted = normal + (0x3f800000u - 0x3f3504f3u);
    k += i32(shifted >> 23u) - 127;
    let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
    let half = 0.5 * f * f;
    let value = s * (half + r) + f32(k) * 9.0580006145e-6 - half + f + f32(k) * 0.69313812256;
    return select(value, bitcast<f32>(bits ^ p.zero), bits == INFINITY);
}

// ln(1 + v) of v above -1: what 1 + v loses is put right by the quotient (Kahan).
fn ln_1p(v: f32) -> f32 {
    let u = opaque(1.0 + v);
    let above = opaque(u - 1.0);
    if (above == 0.0 || bitcast<u32>(v) == INFINITY) {
        return v;
    }
    return ln(bitcast<u32>(u)) * (v / above);
}

// exp(v) = 2^power (1 + rest).
struct Exponential {
    power: i32,
    rest: f32,
}

fn exponential(v: f32) -> Exponential {
    // (Beyond these nothing changes.)
    let held = clamp(v, -104.0, 89.0);
    let k = round(held * 1.44269504);
    let r = opaque(held - k * 0.693359375) + k * 2.12194440e-4;
    let high = 1.6666665459e-1 + r * (4.1665795894e-2 + r * (8.3334519073e-3 + r * (1.3981999507e-3 + r * 1.9875691500e-4)));
    return Exponential(i32(k), r + r * r * (5.0000001201e-1 + r * high));
}

fn exp_of(v: f32) -> f32 {
    let e = exponential(v);
    let low = e.power / 2;
    let value = (1.0 + e.rest) * power_of_two(low) * power_of_two(e.power - low);
    return select(value, bitcast<f32>(INFINITY ^ p.zero), v > 88.7228317);
}

// exp(v) - 1.
fn exp_m1(v: f32) -> f32 {
    let e = exponential(v);
    if (e.power > 24) {
        return exp_of(v) - 1.0;
    }
    let scale = power_of_two(max(e.power, -126));
    return (scale - 1.0) + scale * e.rest;
}
