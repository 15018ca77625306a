// The moments of `units` units of a segment, STRIDE apart, in one read:
//   chunks of CHUNK units about a pivot k (the mean so far); s = sum(x - k), q = sum((x - k)^2), or of another power
// GROUP chunks are combined into a group and the groups then, so that few roundings follow each other. A group is
// read again where the sums of a chunk are out of the ordinary, or the very first pivot is: see accumulate_again.
// (Once per group and not per chunk: software adapters walk through branches that no invocation takes.)

fn accumulate(at: Segment, start: u32, units: u32) -> Moments {
    var all = identity();
    if (units == 0u) {
        return all;
    }
    var c = cursor_at(at, start);
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = first_pivot(at, c, min(units, PIVOT));
    }
    var done = 0u;
    while (done < units) {
        let first = c;
        let end = min(done + GROUP * CHUNK, units);
        let start_of_group = done;
        var group = identity();
        var again = false;
        while (done < end) {
            let size = min(CHUNK, end - done);
            var s = Sum(0.0);
            var q = Sum(0.0);
            for (var i = 0u; i < size; i++) {
                absorb(load(c.x), pivot, &s, &q);
                c = advance(c, at);
            }
            let count = size * PER_UNIT;
            // Only the first pivot can be far off; a later one, compared with all that it is the mean of, cannot.
            again |= is_extreme(pivot, total_power(q)) || (done == 0u && is_off_center(total(s), total_power(q), count));
            group = combine(group, moments_about(pivot, total(s), total_power(q), count, Ints(0)));
            if (CENTERED) {
                pivot = opaque(pivot_of(group));
            }
            done += size;
        }
        if (again) {
            group = accumulate_again(at, first, end - start_of_group);
            if (CENTERED) {
                pivot = opaque(pivot_of(group));
            }
        }
        all = combine(all, group);
    }
    return all;
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

// A group with squares that overflow or vanish in f32, with a NaN or an infinity, or whose first elements do not
// represent it. Every chunk is read three times, in one loop: for its largest magnitude, which says how x is to be
// scaled; for its mean, which is the pivot; and for the sums about that.
fn accumulate_again(at: Segment, start: Cursor, units: u32) -> Moments {
    var group = identity();
    var first = start;
    var done = 0u;
    while (done < units) {
        let size = min(CHUNK, units - done);
        let count = size * PER_UNIT;
        var c = first;
        var largest = Bits(0u);
        var scale = Real(1.0);
        var pivot = Real(0.0);
        var s: Sum;
        var q: Sum;
        for (var reading = 0u; reading < 3u; reading++) {
            c = first;
            s = Sum(0.0);
            q = Sum(0.0);
            for (var i = 0u; i < size; i++) {
                let u = load(c.x) * scale;
                if (reading == 0u) {
                    largest = max(largest, magnitude(u));
                }
                if (CENTERED && reading == 1u && i == 0u) {
                    pivot = unit_mean(u);
                }
                absorb(u, pivot, &s, &q);
                c = advance(c, at);
            }
            if (reading == 0u) {
                scale = scale_of(exponent_of(largest));
            } else if (CENTERED && reading == 1u) {
                pivot = opaque(pivot + total(s) / f32(count));
            }
        }
        group = combine(group, moments_of_scaled(pivot, total(s), total_power(q), count, exponent_of(largest)));
        first = c;
        done += size;
    }
    return group;
}
