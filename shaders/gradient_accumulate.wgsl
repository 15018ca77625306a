// The sums of `units` units of a segment, STRIDE apart, in one read of x and dy:
//   s = sum(g), q = sum(g x_hat),   g = dy weight
// Chunks of CHUNK units are summed one after the other, GROUP of them to a group, and the groups then: few roundings follow
// each other. Where walks go along the elements of one weight (BY_WEIGHT), x_hat is that of the record that belongs to each
// run or, if those differ within runs, to each unit.

fn accumulate(at: Segment, n: Normalizer, start: u32, units: u32) -> Sums {
    var all = identity();
    var group = identity();
    var chunks = 0u;
    var c = cursor_at(at, start);
    var left = units;
    while (left > 0u) {
        let size = min(CHUNK, left);
        left -= size;
        group = combine(group, accumulate_chunk(at, n, &c, size));
        chunks += 1u;
        if (chunks == GROUP) {
            all = combine(all, group);
            group = identity();
            chunks = 0u;
        }
    }
    return combine(all, group);
}

fn accumulate_chunk(at: Segment, fixed: Normalizer, cursor: ptr<function, Cursor>, units: u32) -> Sums {
    var c = *cursor;
    var s = Sum(0.0);
    var q = Sum(0.0);
    var largest = Bits(0u);
    var ties = Bits(0u);
    var n = fixed;
    var w: Unit;
    var left = units;
    while (left > 0u) {
        let take = within_run(c.unit, left);
        if (!WEIGHT_VARIES) {
            if (BY_WEIGHT) {
                n = recorded(c.weight);
            } else {
                w = weight_at(c.weight);
            }
        }
        for (var i = 0u; i < take; i++) {
            if (WEIGHT_VARIES) {
                if (BY_WEIGHT) {
                    n = recorded(c.weight);
                } else {
                    w = weight_at(c.weight);
                }
            }
            let u = load(c.x);
            var g = load_dy(c);
            if (!BY_WEIGHT) {
                g = times(g, w);
            }
            absorb_gradient(g, center_and_scale(u, n), &s, &q);
            if (MAXIMUM) {
                let size = magnitude(u);
                ties = select(select(ties, ties + Bits(1u), size == largest), Bits(1u), size > largest);
                largest = max(largest, size);
            }
            c = along(c, 1u);
        }
        left -= take;
        if (is_beyond_run(c.unit)) {
            c = next_run(c, at);
        }
    }
    *cursor = c;
    return Sums(total(s), total(q), largest, ties);
}
