// The normalizer of four neighbouring segments.

fn normalizer_from(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> Normalizer {
    let e = vec4(a.y, b.y, c.y, d.y);
    let r = vec4(a.z, b.z, c.z, d.z);
    return Normalizer(opaque(vec4(a.x, b.x, c.x, d.x)), r, -e * r, vec4(a.w, b.w, c.w, d.w));
}
