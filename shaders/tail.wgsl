// The elements of every run that fill no unit of sixteen, one after the other. They are summed with the run's last unit, and
// written after it.

fn absorb_tail(
    index: u32,
    k: f32,
    scale: f32,
    measured: bool,
    s: ptr<function, Sum>,
    q: ptr<function, Sum>,
    largest: ptr<function, u32>,
) -> u32 {
    // Units of a run that begins at an odd element are summed one element later, in whole pairs, but for its first.
    let first = index - run_units() * UNIT_STEP;
    let later = select(0u, first & 1u, SUMS_WHOLE_PAIRS);
    for (var j = 0u; j < loose_elements(); j++) {
        var v = x[select(index + loose_at(j) + later, first, later == 1u && j + 1u == loose_elements())];
        if (measured) {
            v *= scale;
            *largest = max(*largest, bitcast<u32>(v) & ABS);
        }
        let d = vec4(v - k, 0.0, 0.0, 0.0);
        *s += d;
        *q = join(*q, power(d));
    }
    return loose_elements();
}

fn normalize_tail(c: Cursor, task: Task) {
    let n = task.n;
    for (var j = 0u; j < loose_elements(); j++) {
        let x_hat = (x[c.x + loose_at(j)] * n.scale - n.m) * n.r + n.c;
        let y = x_hat * weight_one(c.weight, loose_at(j)) + bias_one(c.weight, loose_at(j));
        if (task.present) {
            put(place_in_y(c) + loose_at(j), y);
        }
    }
}
