// Count, extremes, mean and squared deviations of spans of features, NaN ignored.
//   mean = m + e,  m2 = sum((x - mean)^2), both of x * 2^-exponent
// An invocation takes a span of the rows of a feature, in three reads: count, extremes and infinities; the mean, about the
// middle of both extremes; the deviations from that mean. Only magnitudes that are large or small enough for their
// squares to leave f32 are scaled. Sums are taken in groups of 64, so that few roundings follow each other. Writes 8
// words a span, [span][feature]; the host merges the spans in f64. No barriers. Chosen when: min-max, max-abs and z-score
// are fitted.

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

struct Totals {
    sum: f32,
    squares: f32,
}

// Sums of deviations from a pivot and of their squares.
fn totals(span: Span, pivot: f32, scale: f32) -> Totals {
    var total: Totals;
    var group: Totals;
    for (var i = 0u; i < span.count; i++) {
        let bits = x[place_of(span.feature, span.first + i * p.span_step)];
        let deviation = select(bitcast<f32>(bits) * scale - pivot, 0.0, is_missing(bits));
        group.sum += deviation;
        group.squares += deviation * deviation;
        if (i % 64u == 63u) {
            total.sum += group.sum;
            total.squares += group.squares;
            group = Totals();
        }
    }
    total.sum += group.sum;
    total.squares += group.squares;
    return total;
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
    var infinite = 0u;
    var low = 0xffffffffu;
    var high = 0u;
    for (var i = 0u; i < span.count; i++) {
        let bits = x[place_of(span.feature, span.first + i * p.span_step)];
        let missing = is_missing(bits);
        let key = key_of(bits);
        count += select(1u, 0u, missing);
        infinite |= select(0u, 1u, (bits & ABS) == INFINITY);
        low = min(low, key);
        high = max(high, select(key, 0u, missing));
    }
    var exponent = 0;
    var m = 0.0;
    var e = 0.0;
    var m2 = 0.0;
    if (count > 0u && infinite == 0u) {
        let ends = vec2(bits_of_key(low), bits_of_key(high));
        let largest = i32(max(ends.x & ABS, ends.y & ABS) >> 23u) - 127;
        if (largest > 40 || largest < -40) {
            exponent = clamp(largest, -126, 126);
        }
        let scale = power_of_two(-exponent);
        // The middle of equal values is theirs.
        let middle = bitcast<f32>(ends.x) * scale * 0.5 + bitcast<f32>(ends.y) * scale * 0.5;
        m = opaque(middle + totals(span, middle, scale).sum / f32(count));
        let about = totals(span, m, scale);
        e = about.sum / f32(count);
        m2 = max(about.squares - about.sum * e, 0.0);
    }
    let at = (span.number * p.features + span.feature) * 8u;
    results[at] = count;
    results[at + 1u] = infinite;
    results[at + 2u] = low;
    results[at + 3u] = high;
    results[at + 4u] = bitcast<u32>(m);
    results[at + 5u] = bitcast<u32>(e);
    results[at + 6u] = bitcast<u32>(m2);
    results[at + 7u] = bitcast<u32>(exponent);
}
