// The two f32 of a 64-bit integer, or of each of four, and four integers of such halves.

fn halves(v: u64) -> vec2<f32> {
    return bitcast<vec2<f32>>(vec2(u32(v), u32(v >> 32u)));
}

fn evens(v: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(v));
}

fn odds(v: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(v >> vec4(32u)));
}

fn pairs(even: vec4<f32>, odd: vec4<f32>) -> vec4<u64> {
    return vec4<u64>(bitcast<vec4<u32>>(even)) | (vec4<u64>(bitcast<vec4<u32>>(odd)) << vec4(32u));
}
