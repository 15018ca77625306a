// Local response normalization: every element is multiplied by a power of what its neighbours along the segment make.
//   y[c] = x[c] * (k + window_scale * sum(x[i]^2 for i from c - left to c + right))^-beta * weight + bias
// An invocation takes a span of the channels of one place, or of four neighbouring places, and reads the window anew for
// each: sums that slide would keep what a large value left behind. Neighbours beyond the first and the last channel
// count as 0. p.power is -beta. No barriers. Chosen when: the operation is local response normalization.

fn invocation(index: u32) {
    let span = spans_at(index);
    if (span.rows == 0u) {
        return;
    }
    let at = segment_at(span.segment);
    var c = cursor_at(at, span.first);
    for (var i = 0u; i < span.units; i++) {
        let channel = p.first_channel + span.first + i;
        let before = min(p.window_left, channel);
        let after = min(p.window_right, p.channels - 1u - channel);
        let y = respond(load(c.x), c.x - before * p.step_x, before + 1u + after);
        store(c, affine(y, weight_at(c.weight), bias_at(c.weight)));
        c = advance(c, at);
    }
}

// x times the power of what `count` elements from `first` on make.
fn respond(x: Unit, first: u32, count: u32) -> Unit {
    var exponent = Ints(0);
    var sum = squares(first, count, Real(1.0));
    if (is_extreme(Real(0.0), sum)) {
        // Squares that overflow or vanish: in units of the largest element.
        var largest = Bits(0u);
        for (var i = 0u; i < count; i++) {
            largest = max(largest, magnitude(load(first + i * p.step_x)));
        }
        exponent = exponent_of(largest);
        sum = squares(first, count, scale_of(largest));
    }
    return narrow_real(response(vec4<f32>(x), vec4<f32>(sum), vec4<i32>(exponent)));
}

// The sum of the squares of scaled elements; in groups, so that few roundings follow each other.
fn squares(first: u32, count: u32, scale: Real) -> Real {
    var sum = Real(0.0);
    var group = Real(0.0);
    for (var i = 0u; i < count; i++) {
        let v = load(first + i * p.step_x) * scale;
        group += v * v;
        if (i % 64u == 63u) {
            sum += group;
            group = Real(0.0);
        }
    }
    return sum + group;
}

// x (k + window_scale * sum * 4^exponent)^power. Exponents may say more than a scale: see moments.wgsl.
fn response(x: vec4<f32>, sum: vec4<f32>, exponent: vec4<i32>) -> vec4<f32> {
    let scales = (exponent >= vec4(-126)) & (exponent <= vec4(126));
    let twice = select(vec4(0), exponent * 2, scales);
    let terms = select(vec4(0.0), sum, exponent < vec4(INFINITE)) * p.window_scale;
    // Either k is brought to the scale of the sum, or, where that is far below it, the sum to that of k.
    let small = (twice < vec4(0)) & vec4(p.window_k != 0.0);
    let extra = select(twice, vec4(0), small);
    let base = scaled_by(vec4(p.window_k), -extra) + scaled_by(terms, twice - extra);

    let bits = bitcast<vec4<u32>>(base) & vec4(ABS);
    let t = raise(bitcast<vec4<f32>>(bits), extra, p.power_high, p.power_low);
    var y = scaled_by(x * t.fraction, t.exponent);
    if (p.negative_base <= 0) {
        let other = select(vec4(not_a_number()), -y, p.negative_base < 0);
        y = select(y, other, bitcast<vec4<u32>>(base) != bits);
    }
    // 0 or infinity to a power is either of them.
    y = select(y, limit(x, p.power_high < 0.0), bits < vec4(MIN_NORMAL));
    y = select(y, limit(x, p.power_high > 0.0), (bits >= vec4(INFINITY)) | (exponent == vec4(INFINITE)));
    y = select(y, vec4(not_a_number()), (bits > vec4(INFINITY)) | (exponent == vec4(INVALID)));
    // Any number to the power 0 is 1, a NaN too.
    return select(y, x, p.power_high == 0.0);
}

// x times infinity, or x times 0.
fn limit(x: vec4<f32>, infinite: bool) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x) & vec4(ABS);
    let sign = bitcast<vec4<u32>>(x) ^ bits;
    let nan = vec4(not_a_number());
    if (infinite) {
        let huge = bitcast<vec4<f32>>(sign | vec4(bitcast<u32>(infinity())));
        return select(huge, nan, (bits == vec4(0u)) | (bits > vec4(INFINITY)));
    }
    return select(bitcast<vec4<f32>>(sign), nan, bits >= vec4(INFINITY));
}
