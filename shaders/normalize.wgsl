// Writes `units` units of a segment, STRIDE apart: y = ((x * scale - m) * r + c) * weight + bias. Invocations that
// are not `present` go along without writing, so that control flow is uniform.

fn normalize(at: Segment, n: Normalizer, start: u32, units: u32, present: bool) {
    if (units == 0u) {
        return;
    }
    var c = cursor_at(at, start);
    var w: Unit;
    var b: Unit;
    if (!WEIGHT_VARIES) {
        w = weight_at(c.weight);
        b = bias_at(c.weight);
    }
    for (var i = 0u; i < units; i++) {
        if (WEIGHT_VARIES) {
            w = weight_at(c.weight);
            b = bias_at(c.weight);
        }
        let y = affine(center_and_scale(load(c.x), n), w, b);
        if (present) {
            store(c, y);
        }
        c = advance(c, at);
    }
}
