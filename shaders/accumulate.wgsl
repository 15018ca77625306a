// The moments of `units` units of a segment, STRIDE apart, in one read:
//   chunks of CHUNK units about a pivot k (the mean so far); s = sum(x - k), q = sum((x - k)^2)
// Chunks are combined sixteen at a time and those groups then, so that rounding grows with the square root of
// their number at most. A chunk whose sums are out of the ordinary is read again with x times a power of two.

fn accumulate(at: Segment, start: u32, units: u32) -> Moments {
    var outer = identity();
    if (units == 0u) {
        return outer;
    }
    var inner = identity();
    var c = cursor_at(at, start);
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = unit_mean(load(c.x));
    }
    var chunks = 0u;
    var done = 0u;
    while (done < units) {
        let size = min(CHUNK, units - done);
        let first = c;
        var s = Sum(0.0);
        var q = Sum(0.0);
        for (var i = 0u; i < size; i++) {
            absorb(load(c.x), pivot, &s, &q);
            c = advance(c, at);
        }
        let squares = total(q);
        var chunk: Moments;
        if (is_extreme(pivot, squares)) {
            chunk = accumulate_scaled(at, first, size);
        } else {
            chunk = moments_about(pivot, total(s), squares, size * PER_UNIT, Ints(0));
        }
        inner = combine(inner, chunk);
        if (CENTERED) {
            pivot = opaque(pivot_of(inner));
        }
        chunks += 1u;
        if (chunks == GROUP) {
            outer = combine(outer, inner);
            inner = identity();
            chunks = 0u;
        }
        done += size;
    }
    return combine(outer, inner);
}

// A chunk whose squares overflow or vanish in f32, or that holds a NaN or an infinity.
fn accumulate_scaled(at: Segment, first: Cursor, units: u32) -> Moments {
    var largest = Bits(0u);
    var c = first;
    for (var i = 0u; i < units; i++) {
        largest = max(largest, magnitude(load(c.x)));
        c = advance(c, at);
    }
    let exponent = exponent_of(largest);
    let scale = select(power_of_two(-clamp(exponent, Ints(-126), Ints(126))), Real(0.0), exponent >= Ints(INFINITE));
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = unit_mean(load(first.x) * scale);
    }
    c = first;
    var s = Sum(0.0);
    var q = Sum(0.0);
    for (var i = 0u; i < units; i++) {
        absorb(load(c.x) * scale, pivot, &s, &q);
        c = advance(c, at);
    }
    var t = moments_about(pivot, total(s), total(q), units * PER_UNIT, exponent);
    let special = exponent >= Ints(INFINITE);
    t.m = select(t.m, Real(0.0), special);
    t.e = select(t.e, Real(0.0), special);
    t.m2 = select(t.m2, Real(0.0), special);
    return t;
}
