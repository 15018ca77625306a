// Writes `units` units of a segment, STRIDE apart, and the elements after their runs:
//   y = ((x * scale - m) * r + c) * weight + bias
// A segment that is not `present` is gone along without writing, so that control flow is uniform.

fn normalize(task: Task, start: u32, units: u32) {
    if (units == 0u) {
        return;
    }
    var c = cursor_at(task.at, start);
    // Followed apart from the cursor, because it is the same for all invocations if start is.
    var unit = unit_of_run(start);
    var left = units;
    while (left > 0u) {
        let take = within_run(unit, left);
        var w: Unit;
        var b: Unit;
        if (!WEIGHT_VARIES) {
            w = weight_at(c.weight);
            b = bias_at(c.weight);
        }
        var i = 0u;
        if (UNROLL == 4u && !WEIGHT_VARIES) {
            for (; i + 4u <= take; i += 4u) {
                c = normalize_four(c, task, w, b);
            }
        }
        for (; i < take; i++) {
            if (WEIGHT_VARIES) {
                w = weight_at(c.weight);
                b = bias_at(c.weight);
            }
            let y = affine(center_and_scale(load(c.x), task.n), w, b);
            if (task.present) {
                store(c, y);
            }
            c = along(c, 1u);
        }
        left -= take;
        unit += take * STRIDE;
        if (is_beyond_run(unit)) {
            normalize_tail(c, task);
            c = next_run(c, task.at);
            unit = unit_of_run(unit);
        }
    }
}

// Four units at once, which have the same weight: all are read before the first is written.
fn normalize_four(first: Cursor, task: Task, w: Unit, b: Unit) -> Cursor {
    let second = along(first, 1u);
    let third = along(first, 2u);
    let fourth = along(first, 3u);
    let y0 = affine(center_and_scale(load(first.x), task.n), w, b);
    let y1 = affine(center_and_scale(load(second.x), task.n), w, b);
    let y2 = affine(center_and_scale(load(third.x), task.n), w, b);
    let y3 = affine(center_and_scale(load(fourth.x), task.n), w, b);
    if (task.present) {
        store(first, y0);
        store(second, y1);
        store(third, y2);
        store(fourth, y3);
    }
    return along(first, 4u);
}
