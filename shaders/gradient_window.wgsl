// Gradient of local response normalization, with u[c] = k + window_scale * sum(x[i]^2 for i from c - left to c + right):
//   dx[c] = g[c] u[c]^-beta - 2 beta window_scale x[c] sum(g[i] x[i] u[i]^(-beta - 1) for i whose windows hold c)
//   g = dy weight; those are i from c - right to c + left
// An invocation takes a span of the channels of one place, or of four neighbouring places, and makes all windows anew for
// each: size^2 reads, but nothing that grows with the tensor is stored. p.power is -beta and p.root is -beta - 1.
// No barriers. Chosen when: the gradient of local response normalization.

fn gradient_at(c: Cursor) -> Unit {
    return load_dy(c) * weight_at(c.weight);
}

// The exponent of a normal number; 0 of others.
fn exponent_within(v: vec4<f32>) -> vec4<i32> {
    let bits = vec4<i32>((bitcast<vec4<u32>>(v) & vec4(ABS)) >> vec4(23u));
    return select(bits - vec4(127), vec4(0), (bits == vec4(0)) | (bits == vec4(255)));
}

fn invocation(index: u32) {
    let span = spans_at(index);
    if (span.rows == 0u) {
        return;
    }
    let power = Power(p.power_high, p.power_low, p.negative_base);
    let steeper = Power(p.root_high, p.root_low, -p.negative_base);
    let at = segment_at(span.segment);
    for (var i = 0u; i < span.units; i++) {
        let channel = span.first + i;
        let c = cursor_at(at, channel);
        let g = vec4<f32>(gradient_at(c));
        // x[c] enters in two factors: its exponent within the sum, whose terms it keeps from vanishing beside a large u, and
        // the rest behind it.
        let x = vec4<f32>(load(c.x));
        let exponent = exponent_within(x);
        var others = vec4(0.0);
        let end = min(channel + p.window_left, p.channels - 1u);
        for (var other = channel - min(p.window_right, channel); other <= end; other++) {
            let o = cursor_at(at, other);
            let neighbour = response(vec4<f32>(load(o.x)), window_at(o.x, other), steeper, exponent);
            others += vec4<f32>(gradient_at(o)) * neighbour;
        }
        let own = response(g, window_at(c.x, channel), power, vec4(0));
        // p.rate is 2 beta window_scale.
        put_dx(c, narrow_real(own - (p.rate * scaled_by(x, -exponent)) * others));
    }
}
