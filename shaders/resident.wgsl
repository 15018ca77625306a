// Normalization of one segment that LANES invocations hold in registers (one invocation, part of a subgroup, part of
// a workgroup, or a workgroup; see the files that call this for which).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Lane j of a segment holds its units j, j + LANES, ...: one read and one write. The segment is one chunk: its pivot
// is the mean to f32, and the deviations from that give the mean's rest and the squares.
//   scale by the largest magnitude;  k = x0 + mean(x - x0), x0 the mean of the first unit;
//   s = sum(x - k), q = sum((x - k)^2)
// Three reductions over the lanes. Lanes without a segment repeat the last one and write nothing, so that control
// flow is uniform. Where all segments have the same weights and an invocation takes several segments (HOLD), it
// reads its share of the weights once, in hold_parameters.

var<private> held_weight: array<Unit, UNITS>;
var<private> held_bias: array<Unit, UNITS>;

fn hold_parameters(place: Place) {
    if (!HOLD) {
        return;
    }
    let at = segment_at(0u);
    var c = cursor_at(at, min(place.lane, p.units - 1u));
    for (var i = 0u; i < UNITS; i++) {
        held_weight[i] = weight_at(c.weight);
        held_bias[i] = bias_at(c.weight);
        if (holds(place.lane, i + 1u)) {
            c = advance(c, at);
        }
    }
}

fn weight_of(i: u32, index: u32) -> Unit {
    if (HOLD) {
        return held_weight[i];
    }
    return weight_at(index);
}

fn bias_of(i: u32, index: u32) -> Unit {
    if (HOLD) {
        return held_bias[i];
    }
    return bias_at(index);
}

fn resident(index: u32, place: Place) {
    let present = FULL_GROUPS || index < p.segments;
    let at = segment_at(min(index, p.segments - 1u));

    var held: array<Unit, UNITS>;
    var largest = 0u;
    var c = cursor_at(at, min(place.lane, p.units - 1u));
    for (var i = 0u; i < UNITS; i++) {
        if (holds(place.lane, i)) {
            held[i] = load(c.x);
            largest = max(largest, magnitude(held[i]));
            c = advance(c, at);
        }
    }
    largest = reduce_max(largest, place);
    let scale = scale_of(largest);

    var pivot = 0.0;
    if (CENTERED) {
        let first = unit_mean(load(at.x) * scale);
        var s = Sum(0.0);
        var q = Sum(0.0);
        for (var i = 0u; i < UNITS; i++) {
            if (holds(place.lane, i)) {
                absorb(held[i] * scale, first, &s, &q);
            }
        }
        pivot = opaque(first + reduce_sum(vec2(total(s), 0.0), place).x / f32(p.count));
    }
    var s = Sum(0.0);
    var q = Sum(0.0);
    for (var i = 0u; i < UNITS; i++) {
        if (holds(place.lane, i)) {
            absorb(held[i] * scale, pivot, &s, &q);
        }
    }
    var sums = reduce_sum(vec2(total(s), total_power(q)), place);
    if (MAXIMUM) {
        sums.y = bitcast<f32>(largest) * scale;
    }
    let t = moments_of_scaled(pivot, sums.x, sums.y, p.count, largest);
    let n = settle(t, at.record, present && place.lane == 0u);

    c = cursor_at(at, min(place.lane, p.units - 1u));
    for (var i = 0u; i < UNITS; i++) {
        let y = affine(center_and_scale(held[i], n), weight_of(i, c.weight), bias_of(i, c.weight));
        if (present && holds(place.lane, i)) {
            store(c, y);
        }
        if (holds(place.lane, i + 1u)) {
            c = advance(c, at);
        }
    }
}

// True if unit i of a lane is one of the segment's.
fn holds(lane: u32, i: u32) -> bool {
    return FULL_LANES || lane + i * LANES < p.units;
}
