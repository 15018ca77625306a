// Normalization of short contiguous segments, ROWS consecutive ones per invocation, each held in registers.
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// A segment is UNITS units and one chunk: it is read once and written once, and an invocation's segments follow
// each other in memory, as caches and prefetchers like it. No barriers.
// Chosen when: software adapters, segments of at most a few units; see tuning.rs.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (linear_workgroup(group, groups) * WORKGROUP + lane) * ROWS;
    if (first >= p.segments) {
        return;
    }
    let end = min(first + ROWS, p.segments);
    for (var index = first; index < end; index++) {
        let at = segment_at(index);
        var row: array<Unit, UNITS>;
        for (var i = 0u; i < UNITS; i++) {
            row[i] = load(at.x + i);
        }
        var pivot = Real(0.0);
        if (CENTERED) {
            pivot = unit_mean(row[0]);
        }
        var s = Sum(0.0);
        var q = Sum(0.0);
        for (var i = 0u; i < UNITS; i++) {
            absorb(row[i], pivot, &s, &q);
        }
        let squares = total(q);
        var t: Moments;
        if (is_extreme(pivot, squares)) {
            t = accumulate_scaled(at, cursor_at(at, 0u), UNITS);
        } else {
            t = moments_about(pivot, total(s), squares, UNITS * PER_UNIT, Ints(0));
        }
        let n = settle(t, at.record);
        for (var i = 0u; i < UNITS; i++) {
            let weight_index = at.weight + i * p.step_weight;
            store(at.x + i, affine(center_and_scale(row[i], n), weight_at(weight_index), bias_at(weight_index)));
        }
    }
}
