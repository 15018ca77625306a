// Writes dx of `units` units of a segment, STRIDE apart:
//   dx = r (dy weight - a - x_hat b)
// A segment that is not `present` is gone along without writing, so that control flow is uniform.

fn write_dx(task: Task, k: Coefficients, start: u32, units: u32) {
    if (units == 0u) {
        return;
    }
    var c = cursor_at(task.at, start);
    var left = units;
    while (left > 0u) {
        let take = within_run(c.unit, left);
        var w: Unit;
        if (!WEIGHT_VARIES) {
            w = weight_at(c.weight);
        }
        for (var i = 0u; i < take; i++) {
            if (WEIGHT_VARIES) {
                w = weight_at(c.weight);
            }
            let u = load(c.x);
            let g = times(load_dy(c), w);
            let dx = gradient_of(u, g, center_and_scale(u, task.n), k, task.n);
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
