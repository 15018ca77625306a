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
            let sums = sums_of(at, c, size, pivot, Real(1.0), false);
            let q = total_power(sums.q);
            // Only the first pivot can be far off; a later one, compared with all that it is the mean of, cannot.
            again |= is_extreme(pivot, q) || (done == 0u && is_off_center(total(sums.s), q, sums.count));
            group = combine(group, moments_about(pivot, total(sums.s), q, sums.count, Ints(0)));
            if (CENTERED) {
                pivot = opaque(pivot_of(group));
            }
            c = sums.end;
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
    let first = unit_mean(load_for_sums(start.x));
    if (PIVOT == 1u) {
        return first;
    }
    let sums = sums_of(at, start, units, first, Real(1.0), false);
    return opaque(first + total(sums.s) / f32(sums.count));
}

// Sums over some units, and the elements after their runs.
struct Sums {
    s: Sum,
    q: Sum,
    largest: Bits,  // magnitude of x; only where `measured`
    count: u32,     // elements of a segment
    end: Cursor,
}

// The sums over `units` units, STRIDE apart, from a cursor on: of deviations of x * scale from a pivot, and their powers.
// `measured`, known when the shader is compiled: with a scale other than 1, and the largest magnitude.
// Units that a loop takes four at a time are summed in four places: a sum that holds an outlier loses what is small beside
// it. Others go to each place in turn.
fn sums_of(at: Segment, start: Cursor, units: u32, pivot: Real, scale: Real, measured: bool) -> Sums {
    var s = Sum(0.0);
    var q = Sum(0.0);
    var s1 = s;
    var s2 = s;
    var s3 = s;
    var q1 = q;
    var q2 = q;
    var q3 = q;
    var largest = Bits(0u);
    var count = units * PER_UNIT;
    var c = start;
    var left = units;
    if (ACROSS_RUNS && !measured) {
        for (; left >= 4u; left -= 4u) {
            let four = four_from(c, at);
            let first = load_for_sums(four.a.x);
            let second = load_for_sums(four.b.x);
            let third = load_for_sums(four.c.x);
            let fourth = load_for_sums(four.d.x);
            absorb(first, pivot, &s, &q);
            absorb(second, pivot, &s1, &q1);
            absorb(third, pivot, &s2, &q2);
            absorb(fourth, pivot, &s3, &q3);
            c = advance(four.d, at);
        }
    }
    while (left > 0u) {
        let take = within_run(c.unit, left);
        let step = STRIDE * step_x();
        var x = c.x;
        var i = 0u;
        if (UNROLL == 4u && !measured) {
            for (; i + 4u <= take; i += 4u) {
                let first = load_for_sums(x);
                let second = load_for_sums(x + step);
                let third = load_for_sums(x + 2u * step);
                let fourth = load_for_sums(x + 3u * step);
                absorb(first, pivot, &s, &q);
                absorb(second, pivot, &s1, &q1);
                absorb(third, pivot, &s2, &q2);
                absorb(fourth, pivot, &s3, &q3);
                x += 4u * step;
            }
        }
        for (; i < take; i++) {
            var u = load_for_sums(x);
            if (measured) {
                u = u * scale;
                largest = max(largest, magnitude(u));
            }
            absorb(u, pivot, &s, &q);
            if (UNROLL == 4u) {
                let first = s;
                s = s1;
                s1 = s2;
                s2 = s3;
                s3 = first;
                let power_of_first = q;
                q = q1;
                q1 = q2;
                q2 = q3;
                q3 = power_of_first;
            }
            x += step;
        }
        c = along(c, take);
        left -= take;
        if (is_beyond_run(c.unit)) {
            count += absorb_tail(x, pivot, scale, measured, &s, &q, &largest);
            c = next_run(c, at);
        }
    }
    if (UNROLL == 4u) {
        s = (s + s1) + (s2 + s3);
        q = join(join(q, q1), join(q2, q3));
    }
    return Sums(s, q, largest, count, c);
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
        var largest = Bits(0u);
        shift_power(Ints(0));
        var scale = Real(1.0);
        var pivot = Real(0.0);
        var sums: Sums;
        for (var reading = 0u; reading < 3u; reading++) {
            if (CENTERED && reading == 1u) {
                pivot = opaque(unit_first(load_for_sums(first.x)) * scale);
            }
            sums = sums_of(at, first, size, pivot, scale, true);
            if (reading == 0u) {
                largest = sums.largest;
                scale = scale_of(largest);
            } else if (CENTERED && reading == 1u) {
                pivot = opaque(pivot + total(sums.s) / f32(sums.count));
            }
        }
        let moments = moments_of_scaled(pivot, total(sums.s), total_power(sums.q), sums.count, largest);
        group = combine(group, moments);
        first = sums.end;
        done += size;
    }
    shift_power(Ints(0));
    return group;
}
