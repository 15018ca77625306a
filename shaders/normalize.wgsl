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
    if (ACROSS_RUNS) {
        for (; left >= 4u; left -= 4u) {
            let four = four_from(c, task.at);
            normalize_four(four, task, splat(1.0), splat(0.0));
            c = advance(four.d, task.at);
        }
        unit = c.unit;
    }
    while (left > 0u) {
        let take = within_run(unit, left);
        var w: Unit;
        var b: Unit;
        if (!WEIGHT_VARIES) {
            w = weight_at(c.weight);
            b = bias_at(c.weight);
        }
        var i = 0u;
        if (UNROLL == 4u && (PER_UNIT == 4u || !WEIGHT_VARIES)) {
            for (; i + 4u <= take; i += 4u) {
                normalize_four(four_along(c), task, w, b);
                c = along(c, 4u);
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

// Four units at once: all are read before the first is written. w and b are theirs where all have the same.
fn normalize_four(four: Four, task: Task, w: Unit, b: Unit) {
    let y0 = normalize_unit(four.a, task, w, b);
    let y1 = normalize_unit(four.b, task, w, b);
    let y2 = normalize_unit(four.c, task, w, b);
    let y3 = normalize_unit(four.d, task, w, b);
    if (task.present) {
        store(four.a, y0);
        store(four.b, y1);
        store(four.c, y2);
        store(four.d, y3);
    }
}

fn normalize_unit(c: Cursor, task: Task, w: Unit, b: Unit) -> Unit {
    let x_hat = center_and_scale(load(c.x), task.n);
    if (WEIGHT_VARIES || ACROSS_RUNS) {
        return affine(x_hat, weight_at(c.weight), bias_at(c.weight));
    }
    return affine(x_hat, w, b);
}
