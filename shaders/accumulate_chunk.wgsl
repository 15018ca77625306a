// The moments of a segment of one run and at most a chunk of units, in one read, as accumulate.wgsl makes them:
//   s = sum(x - k), q = sum((x - k)^2), k the mean of the first unit
// One invocation a segment; no barriers. Chosen when: software adapters, in lane.wgsl.
// Software adapters run the body of a loop once more than it has trips, masked, and that of an inner loop once more for every
// loop around it: with four units, half of the loads of accumulate.wgsl are those. So no loop is inside of another here, and
// each ends with its condition.

fn accumulate(at: Segment, start: u32, units: u32) -> Moments {
    let count = units * PER_UNIT;
    let first = cursor_at(at, start).x;
    let unit = load_for_sums(first);
    var pivot = Real(0.0);
    if (CENTERED) {
        pivot = unit_mean(unit);
    }
    var s = Sum(0.0);
    var q = Sum(0.0);
    absorb(unit, pivot, &s, &q);
    var x = first;
    for (var left = units - 1u; left > 0u; left--) {
        x += step_x();
        absorb(load_for_sums(x), pivot, &s, &q);
    }
    let sum = total(s);
    let power = total_power(q);
    if (is_extreme(pivot, power) || is_off_center(sum, power, count)) {
        return accumulate_again(first, unit_first(unit), units);
    }
    return moments_about(pivot, sum, power, count, Ints(0));
}

// See accumulate.wgsl: three readings, for the largest magnitude, the mean, and the sums about that.
fn accumulate_again(first: u32, first_value: Real, units: u32) -> Moments {
    let count = units * PER_UNIT;
    var largest = Bits(0u);
    var scale = Real(1.0);
    var pivot = Real(0.0);
    var s = Sum(0.0);
    var q = Sum(0.0);
    var x = first;
    var left = units;
    var reading = 0u;
    loop {
        let u = load_for_sums(x) * scale;
        absorb(u, pivot, &s, &q);
        x += step_x();
        left--;
        if (reading == 0u) {
            largest = max(largest, magnitude(u));
        }
        if (left == 0u && reading < 2u) {
            if (reading == 0u) {
                scale = scale_of(largest);
                pivot = select(Real(0.0), opaque(first_value * scale), CENTERED);
            } else if (CENTERED) {
                pivot = opaque(pivot + total(s) / f32(count));
            }
            s = Sum(0.0);
            q = Sum(0.0);
            x = first;
            left = units;
            reading++;
        }
        continuing {
            break if left == 0u;
        }
    }
    return moments_of_scaled(pivot, total(s), total_power(q), count, largest);
}
