// Powers to a few units in the last place on every adapter, whose own pow, log2 and exp2 may lose half the digits:
//   v^p = 2^(p (e + log2 m)),   v = m 2^e,   m in [sqrt(1/2), sqrt(2))
// p comes as a sum of twelve bits and the rest, so that high * e is exact; the integer part of the product is the
// exponent of the result. log2 m = 2 / ln 2 atanh(s), s = (m - 1) / (m + 1), by its series; so is 2^f.

struct Raised {
    fraction: vec4<f32>,   // between 0.3 and 0.8
    exponent: vec4<i32>,
}

const MIN_NORMAL: u32 = 0x00800000u;

// (v 2^extra)^(high + low) for normal v > 0.
fn raise(v: vec4<f32>, extra: vec4<i32>, high: f32, low: f32) -> Raised {
    let bits = bitcast<vec4<u32>>(v);
    // Mantissas above sqrt(2) are halved.
    let up = vec4<u32>((bits & vec4(0x7fffffu)) > vec4(0x3504f3u));
    let e = vec4<f32>(vec4<i32>(bits >> vec4(23u)) - vec4(127) + vec4<i32>(up) + extra);
    let m = bitcast<vec4<f32>>((bits & vec4(0x7fffffu)) | ((vec4(127u) - up) << vec4(23u)));

    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let log = s * (2.88539008 + z * (0.961796694 + z * (0.577078016 + z * (0.412198583 + z * 0.320598898))));

    let product = high * e;
    let whole = round(product);
    let rest = (product - whole) + (low * e + (high + low) * log);
    let more = round(rest);
    let f = rest - more;
    let fraction = 1.0 + f * (0.693147181 + f * (0.240226507 + f * (0.0555041087
        + f * (0.00961812911 + f * (0.00133335581 + f * (0.000154035304 + f * 0.0000152527338))))));
    // Far beyond the range of f32 it no longer matters how far.
    let exponent = clamp(whole, vec4(-100000.0), vec4(100000.0)) + clamp(more, vec4(-100000.0), vec4(100000.0));
    return Raised(fraction * 0.5, vec4<i32>(exponent) + vec4(1));
}

// v 2^e for any v and e, as the product of three powers: the largest v times the smallest is 0.
fn scaled_by(v: vec4<f32>, e: vec4<i32>) -> vec4<f32> {
    let within = clamp(e, vec4(-378), vec4(378));
    let third = within / vec4(3);
    let first = bitcast<vec4<f32>>((third + vec4(127)) << vec4(23u));
    let last = bitcast<vec4<f32>>((within - 2 * third + vec4(127)) << vec4(23u));
    return ((v * first) * first) * last;
}
