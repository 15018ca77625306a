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
        let window = window_at(c.x, channel);
        let power = Power(p.power_high, p.power_low, p.negative_base);
        let y = narrow_real(response(vec4<f32>(load(c.x)), window, power, vec4(0)));
        store(c, affine(y, weight_at(c.weight), bias_at(c.weight)));
        c = advance(c, at);
    }
}
