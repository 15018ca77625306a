// The `tail` elements of every run that fill no unit of sixteen, one after the other. They are summed with the unit before
// them, and written after it.

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
    let first = index - p.run_units * UNIT_STEP;
    let later = select(0u, first & 1u, SUMS_WHOLE_PAIRS);
    for (var j = 0u; j < p.tail; j++) {
        var v = x[select(index + j + later, first, later == 1u && j + 1u == p.tail)];
        if (measured) {
            v *= scale;
            *largest = max(*largest, bitcast<u32>(v) & ABS);
        }
        let d = vec4(v - k, 0.0, 0.0, 0.0);
        *s += d;
        *q = join(*q, power(d));
    }
    return p.tail;
}

fn normalize_tail(c: Cursor, task: Task) {
    let n = task.n;
    for (var j = 0u; j < p.tail; j++) {
        let x_hat = (x[c.x + j] * n.scale - n.m) * n.r + n.c;
        let y = x_hat * weight_one(c.weight, j) + bias_one(c.weight, j);
        if (task.present) {
            put(place_in_y(c) + j, y);
        }
    }
}
