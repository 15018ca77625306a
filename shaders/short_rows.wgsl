// Normalization of short contiguous segments, ROWS consecutive ones per invocation, each held in registers.
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// A segment is UNITS units and one chunk: it is read once and written once, and an invocation's segments follow
// each other in memory, as caches and prefetchers like it. Invocations beyond the last segment go along with it and
// write nothing. No barriers. Chosen when: software adapters, segments of at most a few units; see tuning.rs.

fn invocation(index: u32) {
    for (var row = 0u; row < ROWS; row++) {
        let segment = index * ROWS + row;
        let present = segment < p.segments;
        let at = segment_at(min(segment, p.segments - 1u));
        var held: array<Unit, UNITS>;
        for (var i = 0u; i < UNITS; i++) {
            held[i] = load(at.x + i);
        }
        var pivot = Real(0.0);
        if (CENTERED) {
            pivot = unit_mean(held[0]);
        }
        var s = Sum(0.0);
        var q = Sum(0.0);
        for (var i = 0u; i < UNITS; i++) {
            absorb(held[i], pivot, &s, &q);
        }
        let count = UNITS * PER_UNIT;
        var t: Moments;
        if (is_extreme(pivot, total(q)) || is_off_center(total(s), total(q), count)) {
            t = accumulate_again(at, cursor_at(at, 0u), UNITS);
        } else {
            t = moments_about(pivot, total(s), total(q), count, Ints(0));
        }
        let n = settle(t, at.record, present);
        for (var i = 0u; i < UNITS; i++) {
            let weight_index = at.weight + i * p.step_weight;
            let y = affine(center_and_scale(held[i], n), weight_at(weight_index), bias_at(weight_index));
            if (present) {
                store(at.x + i, y);
            }
        }
    }
}
