// The moments of a span that a workgroup shares. All lanes sum about the same pivot, a mean of the first elements of the span,
// and their sums are added:
//   s = sum(x - k), q = sum((x - k)^2)
// Where the sums are out of the ordinary for any segment of the workgroup, or the pivot is far off, all lanes read again
// (exact_part), three times: for the largest magnitude, which says how x is to be scaled; for the mean, which is the pivot;
// and for the sums about that. Moments of lanes are never merged: it would be ten times that work at every level of a
// tree, and their registers would leave room for a third of the workgroups.
// Barriers: log2(LANES) + 4, and 3 log2(LANES) + 6 more where x is read again.
// Chosen when: hardware adapters, but for p-norms that always need the largest magnitude.

// Units that a lane adds one after the other, before it adds their sum.
const BLOCK: u32 = 256u;

// Sums of a lane, of several, of all.
struct Shared {
    s: Real,
    q: Real,
    largest: Bits,
}

var<workgroup> shared_sums: array<Shared, WORKGROUP>;
var<workgroup> shared_refusals: atomic<u32>;
var<workgroup> shared_agreement: u32;

fn unit_of_span(at: Segment, span: Span, unit: u32) -> Unit {
    return load_for_sums(cursor_at(at, span.first + min(unit, span.units - 1u)).x);
}

// A mean of two units of four elements, or of eight of one, about the first of them.
fn quick_pivot(at: Segment, span: Span) -> Real {
    if (!CENTERED) {
        return Real(0.0);
    }
    let first = unit_mean(unit_of_span(at, span, 0u));
    let second = unit_mean(unit_of_span(at, span, 1u)) - first;
    if (PER_UNIT > 1u) {
        return opaque(first + 0.5 * second);
    }
    let third = unit_mean(unit_of_span(at, span, 2u)) - first;
    let fourth = unit_mean(unit_of_span(at, span, 3u)) - first;
    let fifth = unit_mean(unit_of_span(at, span, 4u)) - first;
    let sixth = unit_mean(unit_of_span(at, span, 5u)) - first;
    let seventh = unit_mean(unit_of_span(at, span, 6u)) - first;
    let eighth = unit_mean(unit_of_span(at, span, 7u)) - first;
    return opaque(first + 0.125 * (((second + third) + (fourth + fifth)) + ((sixth + seventh) + eighth)));
}

// Of the units that a lane has of a span. `measured`: see sums_of.
fn lane_sums(at: Segment, span: Span, lane: u32, k: Real, scale: Real, measured: bool) -> Shared {
    var s = Sum(0.0);
    var q = Sum(0.0);
    var largest = Bits(0u);
    var c = cursor_at(at, span.first + lane);
    for (var left = lane_share(span.units, lane); left > 0u;) {
        let size = min(BLOCK, left);
        let sums = sums_of(at, c, size, k, scale, measured);
        s += sums.s;
        q = join(q, sums.q);
        largest = max(largest, sums.largest);
        c = sums.end;
        left -= size;
    }
    return Shared(total(s), total_power(q), largest);
}

// Over the lanes of every segment of the workgroup.
fn sum_over_lanes(own: Shared, lane: u32, invocation: u32) -> Shared {
    shared_sums[invocation] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            let a = shared_sums[invocation];
            let b = shared_sums[invocation + half * COLUMNS];
            shared_sums[invocation] = Shared(a.s + b.s, join_real(a.q, b.q), max(a.largest, b.largest));
        }
    }
    workgroupBarrier();
    return shared_sums[invocation % COLUMNS];
}

fn shared_part(at: Segment, span: Span, lane: u32, invocation: u32) -> Moments {
    let count = span.units * PER_UNIT;
    let k = quick_pivot(at, span);
    if (invocation == 0u) {
        atomicStore(&shared_refusals, 0u);
    }
    let sums = sum_over_lanes(lane_sums(at, span, lane, k, Real(1.0), false), lane, invocation);
    if (is_extreme(k, sums.q) || is_off_center(sums.s, sums.q, count)) {
        atomicOr(&shared_refusals, 1u);
    }
    workgroupBarrier();
    if (invocation == 0u) {
        shared_agreement = 1u - atomicLoad(&shared_refusals);
    }
    if (workgroupUniformLoad(&shared_agreement) == 1u) {
        return moments_about(k, sums.s, sums.q, count, Ints(0));
    }
    return exact_part(at, span, lane, invocation);
}

fn exact_part(at: Segment, span: Span, lane: u32, invocation: u32) -> Moments {
    let count = span.units * PER_UNIT;
    var k = Real(0.0);
    var scale = Real(1.0);
    var largest = Bits(0u);
    var sums: Shared;
    for (var reading = 0u; reading < 3u; reading++) {
        let own = lane_sums(at, span, lane, k, scale, true);
        // All lanes have taken what was there before.
        workgroupBarrier();
        sums = sum_over_lanes(own, lane, invocation);
        if (reading == 0u) {
            largest = sums.largest;
            scale = scale_of(largest);
            if (CENTERED) {
                k = opaque(unit_first(unit_of_span(at, span, 0u)) * scale);
            }
        } else if (CENTERED && reading == 1u) {
            k = opaque(k + sums.s / f32(count));
        }
    }
    return moments_of_scaled(k, sums.s, sums.q, count, largest);
}
