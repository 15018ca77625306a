// The line of a scaler, and back, after or before a function of the values.
//   y = (((f(x) * scale - m) - e) * r) * back + (b + b_rest), held between two bounds if asked for
// scale and back are powers of two that keep r within f32, m + e and b + b_rest pairs. Two vec4 of each parameters: (m, e,
// r, scale), (b, b_rest, back, lambda). NaN is kept, by its bits.

@group(0) @binding(1) var<storage, read> lines: array<vec4<f32>>;

fn mapped(bits: u32, at: u32) -> u32 {
    let line = lines[2u * at];
    let rest = lines[2u * at + 1u];
    var x = bits;
    if (!INVERSE) {
        x = done(bits, rest.w);
    }
    let centered = opaque(bitcast<f32>(x) * line.w - line.x) - line.y;
    var value = centered * line.z * rest.z;
    value = opaque(value + rest.y) + rest.x;
    if (p.bounded == 1u) {
        value = select(value, p.low, value < p.low);
        value = select(value, p.high, value > p.high);
    }
    let y = select(bitcast<u32>(value), x, is_missing(x));
    if (INVERSE) {
        return undone(y, rest.w);
    }
    return y;
}
