// Count, extremes, mean and squared deviations of spans of features, NaN ignored.
//   mean = m + e = sum(w x) / sum(w),  m2 = sum(w (x - mean)^2),  of x * 2^-exponent and w * 2^-w_exponent
// w is 1, or the weight of the row; x may be logarithms of the elements. An invocation takes a span of the rows of a feature, in three reads: count, extremes,
// infinities and the largest weight; the mean, about the middle of both extremes; the deviations from that mean. Only
// magnitudes that are large or small enough for their squares to leave f32 are scaled. Sums are taken in groups of 64, so
// that few roundings follow each other. Writes 8 words a span, [span][feature]: count or sum(w), what was met (1:
// infinity, 2: a weight that is negative or not finite, 4: an element without a logarithm), both extremes' keys, m, e, m2, both exponents in 16 bits each;
// the host merges the spans in f64. No barriers. Chosen when: min-max, max-abs and z-score are fitted.

@group(0) @binding(2) var<storage, read_write> results: array<u32>;

struct Totals {
    weight: f32,
    sum: f32,
    squares: f32,
}

fn added(a: Totals, b: Totals) -> Totals {
    return Totals(a.weight + b.weight, a.sum + b.sum, a.squares + b.squares);
}

// Sums of deviations from a pivot and of their squares.
fn totals(span: Span, pivot: f32, scale: f32, weight_scale: f32) -> Totals {
    var total: Totals;
    var group: Totals;
    for (var i = 0u; i < span.count; i++) {
        let row = row_of(span, i);
        let bits = element(span.feature, row);
        let missing = is_missing(bits);
        var weight = 1.0;
        if (WEIGHTED) {
            weight = select(bitcast<f32>(weight_of(row)) * weight_scale, 0.0, missing);
        }
        // (What weighs nothing may be beyond the scale.)
        let deviation = select(bitcast<f32>(bits) * scale - pivot, 0.0, missing || weight == 0.0);
        group = added(group, Totals(weight, weight * deviation, weight * (deviation * deviation)));
        if (i % 64u == 63u) {
            total = added(total, group);
            group = Totals();
        }
    }
    return added(total, group);
}

// The exponent of a magnitude, or 0 if it is moderate.
fn exponent_beyond(moderate: i32, magnitude: u32) -> i32 {
    let exponent = i32(magnitude >> 23u) - 127;
    return select(clamp(exponent, -126, 126), 0, abs(exponent) <= moderate);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let span = span_of(invocation_index(group, groups, local));
    if (span.feature >= p.features || span.number >= p.spans) {
        return;
    }
    var count = 0u;
    var met = 0u;
    var low = 0xffffffffu;
    var high = 0u;
    var heaviest = 0u;
    for (var i = 0u; i < span.count; i++) {
        let row = row_of(span, i);
        let bits = element(span.feature, row);
        let weight = weight_of(row);
        // What weighs nothing must not decide on the scale either.
        let missing = is_missing(bits) || (weight & ABS) == 0u;
        let key = key_of(bits);
        count += select(1u, 0u, missing);
        met |= select(0u, 1u, (bits & ABS) == INFINITY);
        met |= select(0u, 2u, weight >= INFINITY && weight != SIGN);
        met |= select(0u, 4u, bits == NO_VALUE);
        low = min(low, select(key, 0xffffffffu, missing));
        high = max(high, select(key, 0u, missing));
        heaviest = max(heaviest, weight & ABS);
    }
    var amount = 0.0;
    var exponent = 0;
    var weight_exponent = 0;
    var m = 0.0;
    var e = 0.0;
    var m2 = 0.0;
    if (count > 0u && met == 0u) {
        let ends = vec2(bits_of_key(low), bits_of_key(high));
        exponent = exponent_beyond(40, max(ends.x & ABS, ends.y & ABS));
        weight_exponent = exponent_beyond(20, heaviest);
        let scale = power_of_two(-exponent);
        let weight_scale = power_of_two(-weight_exponent);
        // The middle of equal values is theirs.
        let middle = bitcast<f32>(ends.x) * scale * 0.5 + bitcast<f32>(ends.y) * scale * 0.5;
        let near = totals(span, middle, scale, weight_scale);
        amount = select(f32(count), near.weight, WEIGHTED);
        if (amount > 0.0) {
            m = opaque(middle + near.sum / amount);
            let about = totals(span, m, scale, weight_scale);
            e = about.sum / amount;
            m2 = max(about.squares - about.sum * e, 0.0);
        }
    }
    let at = (span.number * p.features + span.feature) * 8u;
    results[at] = select(count, bitcast<u32>(amount), WEIGHTED);
    results[at + 1u] = met;
    results[at + 2u] = low;
    results[at + 3u] = high;
    results[at + 4u] = bitcast<u32>(m);
    results[at + 5u] = bitcast<u32>(e);
    results[at + 6u] = bitcast<u32>(m2);
    results[at + 7u] = (u32(exponent) & 0xffffu) | (u32(weight_exponent) << 16u);
}
