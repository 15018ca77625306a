// The moments of `units` units of a segment, STRIDE apart, in one read:
//   chunks of CHUNK units about a pivot k (the mean so far); s = sum(x - k), q = sum((x - k)^2)
// Chunks are combined GROUP at a time and those groups then, so that few roundings follow each other. A chunk is
// read again where its sums are out of the ordinary, or its pivot is not: see accumulate_again.

fn accumulate(at: Segment, start: u32, units: u32) -> Moments {
    var outer = identity();
    if (units == 0u) {
        return outer;
    }
    var inner = identity();
    var c = cursor_at(at, start);
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = first_pivot(at, c, min(units, PIVOT));
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
        let count = size * PER_UNIT;
        var chunk: Moments;
        // Only the first pivot can be far off; a later one, compared with all that it is the mean of, cannot.
        if (is_extreme(pivot, total(q)) || (done == 0u && is_off_center(total(s), total(q), count))) {
            chunk = accumulate_again(at, first, size);
        } else {
            chunk = moments_about(pivot, total(s), total(q), count, Ints(0));
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

// The mean of the first few elements.
fn first_pivot(at: Segment, start: Cursor, units: u32) -> Real {
    let first = unit_mean(load(start.x));
    if (PIVOT == 1u) {
        return first;
    }
    var c = start;
    var s = Sum(0.0);
    var q = Sum(0.0);
    for (var i = 0u; i < units; i++) {
        absorb(load(c.x), first, &s, &q);
        c = advance(c, at);
    }
    return opaque(first + total(s) / f32(units * PER_UNIT));
}

// A chunk whose squares overflow or vanish in f32, that holds a NaN or an infinity, or whose first elements do not
// represent it: x is scaled by a power of two if need be, and the pivot is the mean itself. Three reads.
fn accumulate_again(at: Segment, first: Cursor, units: u32) -> Moments {
    var largest = Bits(0u);
    var c = first;
    for (var i = 0u; i < units; i++) {
        largest = max(largest, magnitude(load(c.x)));
        c = advance(c, at);
    }
    let exponent = exponent_of(largest);
    let scale = scale_of(exponent);
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = unit_mean(load(first.x) * scale);
        let sums = scaled_sums(at, first, units, scale, pivot);
        pivot = opaque(pivot + sums.s / f32(units * PER_UNIT));
    }
    let sums = scaled_sums(at, first, units, scale, pivot);
    return moments_of_scaled(pivot, sums.s, sums.q, units * PER_UNIT, exponent);
}

struct Sums {
    s: Real,
    q: Real,
}

fn scaled_sums(at: Segment, first: Cursor, units: u32, scale: Real, pivot: Real) -> Sums {
    var s = Sum(0.0);
    var q = Sum(0.0);
    var c = first;
    for (var i = 0u; i < units; i++) {
        absorb(load(c.x) * scale, pivot, &s, &q);
        c = advance(c, at);
    }
    return Sums(total(s), total(q));
}
