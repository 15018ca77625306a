// The moments of a part of a segment, or of a segment, as moments_write.wgsl has them.

fn part(index: u32) -> Single {
    let a = parts[2u * index];
    let exponent = bitcast<i32>(parts[2u * index + 1u].x);
    return Single(bitcast<f32>(a.x), bitcast<f32>(a.y), bitcast<f32>(a.z), exponent, a.w);
}
