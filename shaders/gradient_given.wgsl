// The coefficients of dx of every segment from the sums over all of its shares, one invocation per segment: see
// gradient_segments.wgsl. No barriers. Chosen when: the second half of a backward pass over shares, before gradient_apply.wgsl.

fn invocation(segment: u32) {
    if (segment >= p.segments) {
        return;
    }
    let v = sums_read[segment];
    let count = v.w * 65536.0 + v.z;
    let t = Sums(v.x, v.y, 0u, 0u);
    let k = settled_coefficients(t, recorded(segment), segment, count, max(count - f32(p.ddof), 1.0));
    coefficients[segment] = vec4(k.a, k.b, 0.0, 0.0);
}
