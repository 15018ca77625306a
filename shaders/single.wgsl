// The moments of one segment, as they are stored, and numbers with exponents of their own.

struct Single {
    m: f32,
    e: f32,
    m2: f32,
    exponent: i32,
    count: u32,
}

fn scalar_power_of_two(e: i32) -> f32 {
    let bits = (clamp(e, -126, 127) + 127) << 23u;
    return select(bitcast<f32>(bits), 0.0, e < -126);
}

// 2^e for any e, as the product of two powers.
fn scaled(v: f32, e: i32) -> f32 {
    let half = clamp(e, -252, 254) / 2;
    return (v * scalar_power_of_two(half)) * scalar_power_of_two(clamp(e, -252, 254) - half);
}

// The root of a sum of powers: fraction * 2^exponent, which may be beyond f32.
struct Root {
    fraction: f32,
    exponent: i32,
}
