// The statistics of a segment in registers by one reduction, of the sums about a mean of its first few elements:
//   mean = k + s / n,   sum((x - mean)^2) = q - s^2 / n
// Where that does not serve, the segment is read again, from a cache: three times, for its largest magnitude, which all is
// scaled by, for its mean k = x0 + mean(x - x0), x0 the first element, and for the sums about that: three more reductions, whose
// barriers are those of the lanes' file, as is the vote's. (From registers, which have no index, this would be written out for every unit: code that
// is hardly ever run, but for which the rest has fewer registers. Layer norm of 4096x1024 on an H200: 18.2 us, and 16.5 so.)
// Chosen when: hardware adapters, but for p-norms that always need the largest magnitude.

const MEASURED: bool = false;

fn normalizer_of_segment(walk: ptr<function, Walk>, place: Place) -> Normalizer {
    let at = (*walk).at;
    let writes = (*walk).present && place.lane == 0u;
    (*walk).scale = 1.0;
    (*walk).k = opaque(quick_pivot(at));
    let own = sums_of(*walk, place);
    let sums = reduce_sum(vec2(total(own.s), total_power(own.q)), place);
    let k = (*walk).k;
    if (all_agree(!is_extreme(k, sums.y) && !is_off_center(sums.x, sums.y, p.count), place)) {
        return settle_ordinary(moments_about(k, sums.x, sums.y, p.count, 0), at.record, writes);
    }
    return settle(moments_again(walk, place), at.record, writes);
}

// A mean of the first few elements, about the first of them: of normal data, that of eight is too far off for one segment in
// a million, that of four for one in two thousand.
fn quick_pivot(at: Segment) -> f32 {
    if (!CENTERED) {
        return 0.0;
    }
    // Two units of four, or four of one.
    let a = unit_mean(load(at.x));
    let b = unit_mean(load(cursor_at(at, min(1u, p.units - 1u)).x)) - a;
    if (PER_UNIT > 1u) {
        return a + 0.5 * b;
    }
    let c = unit_mean(load(cursor_at(at, min(2u, p.units - 1u)).x)) - a;
    let d = unit_mean(load(cursor_at(at, min(3u, p.units - 1u)).x)) - a;
    return a + 0.25 * ((b + c) + d);
}

fn moments_again(walk: ptr<function, Walk>, place: Place) -> Moments {
    let at = (*walk).at;
    var largest = 0u;
    var sums = vec2(0.0);
    (*walk).k = 0.0;
    for (var reading = 0u; reading < 3u; reading++) {
        var s = Sum(0.0);
        var q = Sum(0.0);
        // That of the tail, which stays in registers.
        var most = (*walk).largest;
        var c = first_of(at, place);
        for (var i = 0u; i < UNITS; i++) {
            if (holds(place.lane, i)) {
                let u = load(c.x) * (*walk).scale;
                most = max(most, magnitude(u));
                absorb(u, (*walk).k, &s, &q);
            }
            if (holds(place.lane, i + 1u)) {
                c = advance(c, at);
            }
        }
        var own = Sums(s, q);
        sum_tail(*walk, place, &own);
        if (reading == 0u) {
            largest = reduce_max(most, place);
            (*walk).scale = scale_of(largest);
            if (CENTERED) {
                (*walk).k = scaled_first(at, (*walk).scale, place);
            }
        } else {
            sums = reduce_sum(vec2(total(own.s), total_power(own.q)), place);
            if (CENTERED && reading == 1u) {
                (*walk).k = opaque((*walk).k + sums.x / f32(p.count));
            }
        }
    }
    return moments_of_scaled((*walk).k, sums.x, sums.y, p.count, largest);
}
