// Writes the units of a segment of one run, as normalize.wgsl does:
//   y = ((x * scale - m) * r + c) * weight + bias
// The loop ends with its condition, and is not inside of another. Chosen when: accumulate_chunk.wgsl is.

fn normalize(task: Task, start: u32, units: u32) {
    var c = cursor_at(task.at, start);
    var w: Unit;
    var b: Unit;
    if (!WEIGHT_VARIES) {
        w = weight_at(c.weight);
        b = bias_at(c.weight);
    }
    var left = units;
    loop {
        if (WEIGHT_VARIES) {
            w = weight_at(c.weight);
            b = bias_at(c.weight);
        }
        let y = affine(center_and_scale(load(c.x), task.n), w, b);
        if (task.present) {
            store(c, y);
        }
        c = along(c, 1u);
        left--;
        continuing {
            break if left == 0u;
        }
    }
}
