// Unit norm: every row is divided by its norm, or left as it is if that is below 10 epsilons of f64.
//   y = x / norm,  norm = sum|x|, sqrt(sum(x^2)) or max|x| over the features
// An invocation takes a row, in three reads: the largest magnitude, whose power of two scales the row; the sum; the map.
// Sums are taken in groups of 64. NaN and infinity by bits: a row with a NaN becomes NaN, one with an infinity 0 beside
// NaN in its place. No barriers. Chosen when: rows are scaled to unit norm.

@group(0) @binding(2) var<storage, read_write> y: array<u32>;

const SMALL: f32 = 2.220446049250313e-15;

fn magnitude(place: u32, scale: f32) -> f32 {
    return bitcast<f32>(load(place) & ABS) * scale;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = invocation_index(group, groups, local);
    if (row >= p.rows) {
        return;
    }
    let outer = row / p.inner;
    let inner = row % p.inner;
    let from_x = p.x_offset + outer * p.x_outer + inner * p.x_inner;
    let to_y = p.y_offset + outer * p.y_outer + inner * p.y_inner;
    var largest = 0u;
    for (var i = 0u; i < p.features; i++) {
        largest = max(largest, load(from_x + i * p.x_feature) & ABS);
    }
    // Within the scale, the largest is 1 to 2 (or a subnormal's worth).
    let exponent = clamp(i32(largest >> 23u) - 127, -126, 126);
    let scale = power_of_two(-exponent);
    var total = bitcast<f32>(largest) * scale;
    if (p.norm > 0u) {
        total = 0.0;
        var part = 0.0;
        for (var i = 0u; i < p.features; i++) {
            let value = magnitude(from_x + i * p.x_feature, scale);
            part += select(value, value * value, p.norm == 2u);
            if (i % 64u == 63u) {
                total += part;
                part = 0.0;
            }
        }
        total += part;
        total = select(total, sqrt(total), p.norm == 2u);
    }
    // The norm is total * 2^exponent: whether it is small is told where neither overflows.
    let small = exponent < -20 && total * power_of_two(max(exponent, -100)) < SMALL;
    for (var i = 0u; i < p.features; i++) {
        let bits = load(from_x + i * p.x_feature);
        var value = bitcast<f32>(bits);
        if (!small) {
            value = value * scale / total;
        }
        if (largest > INFINITY) {
            value = bitcast<f32>(0x7fc00000u ^ p.zero);
        } else if (largest == INFINITY) {
            value = select(0.0, bitcast<f32>(0x7fc00000u ^ p.zero), (bits & ABS) == INFINITY);
        }
        y[to_y + i * p.y_feature] = bitcast<u32>(value);
    }
}
