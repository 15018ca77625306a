// Writes dx of `units` units of a segment, STRIDE apart:
//   dx = r (dy weight - a - x_hat b)
// A segment that is not `present` is gone along without writing, so that control flow is uniform.

fn write_dx(task: Task, k: Coefficients, start: u32, units: u32) {
    if (units == 0u) {
        return;
    }
    var c = cursor_at(task.at, start);
    var left = units;
    if (ACROSS_RUNS) {
        for (; left >= 4u; left -= 4u) {
            let four = four_from(c, task.at);
            write_four_dx(four, task, k, splat(1.0));
            c = advance(four.d, task.at);
        }
    }
    while (left > 0u) {
        let take = within_run(c.unit, left);
        var w: Unit;
        if (!WEIGHT_VARIES) {
            w = weight_at(c.weight);
        }
        var i = 0u;
        if (!SOFTWARE) {
            for (; i + 4u <= take; i += 4u) {
                write_four_dx(four_along(c), task, k, w);
                c = along(c, 4u);
            }
        }
        for (; i < take; i++) {
            let dx = dx_at(c, task, k, w);
            if (task.present) {
                put_dx(c, dx);
            }
            c = along(c, 1u);
        }
        left -= take;
        if (is_beyond_run(c.unit)) {
            c = next_run(c, task.at);
        }
    }
}

// dx of a unit; `weight` is its weight where all units of a run have the same.
fn dx_at(c: Cursor, task: Task, k: Coefficients, weight: Unit) -> Unit {
    var w = weight;
    if (WEIGHT_VARIES || ACROSS_RUNS) {
        w = weight_at(c.weight);
    }
    let u = load(c.x);
    return gradient_of(u, times(load_dy(c), w), x_hat_at(u, c, w, task.n), k, task.n);
}

// Four units at once: all are read before the first is written.
fn write_four_dx(four: Four, task: Task, k: Coefficients, weight: Unit) {
    let a = dx_at(four.a, task, k, weight);
    let b = dx_at(four.b, task, k, weight);
    let c = dx_at(four.c, task, k, weight);
    let d = dx_at(four.d, task, k, weight);
    if (task.present) {
        put_dx(four.a, a);
        put_dx(four.b, b);
        put_dx(four.c, c);
        put_dx(four.d, d);
    }
}
