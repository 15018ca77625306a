// The moments of a span that a workgroup shares. All lanes sum about the same pivot, a mean of the first elements of the span,
// and their sums are added:
//   s = sum(x - k), q = sum((x - k)^2), or of another power
// A merge of moments is ten times that work at every level of the tree. Where the sums are out of the ordinary for any
// segment of the workgroup, or the pivot is far off, all lanes read again and merge their moments.
// Barriers: log2(LANES) + 4, and as many as a tree has where that is so.
// Chosen when: hardware adapters, but for p-norms that always need the largest magnitude.

// Units that a lane adds one after the other, before it adds their sum.
const BLOCK: u32 = 256u;

struct Shared {
    s: Real,
    q: Real,
}

var<workgroup> shared_sums: array<Shared, WORKGROUP>;
var<workgroup> shared_refusals: atomic<u32>;
var<workgroup> shared_agreement: u32;

fn unit_of_span(at: Segment, span: Span, unit: u32) -> Real {
    return unit_mean(load_for_sums(cursor_at(at, span.first + min(unit, span.units - 1u)).x));
}

// A mean of two units of four elements, or of eight of one, about the first of them.
fn quick_pivot(at: Segment, span: Span) -> Real {
    if (!CENTERED) {
        return Real(0.0);
    }
    let first = unit_of_span(at, span, 0u);
    let second = unit_of_span(at, span, 1u) - first;
    if (PER_UNIT > 1u) {
        return opaque(first + 0.5 * second);
    }
    let third = unit_of_span(at, span, 2u) - first;
    let fourth = unit_of_span(at, span, 3u) - first;
    let fifth = unit_of_span(at, span, 4u) - first;
    let sixth = unit_of_span(at, span, 5u) - first;
    let seventh = unit_of_span(at, span, 6u) - first;
    let eighth = unit_of_span(at, span, 7u) - first;
    return opaque(first + 0.125 * (((second + third) + (fourth + fifth)) + ((sixth + seventh) + eighth)));
}

fn shared_part(at: Segment, span: Span, lane: u32, invocation: u32) -> Moments {
    let units = lane_share(span.units, lane);
    let k = quick_pivot(at, span);
    var s = Sum(0.0);
    var q = Sum(0.0);
    var c = cursor_at(at, span.first + lane);
    for (var left = units; left > 0u;) {
        let size = min(BLOCK, left);
        let sums = sums_of(at, c, size, k, Real(1.0), false);
        s += sums.s;
        q = join(q, sums.q);
        c = sums.end;
        left -= size;
    }
    shared_sums[invocation] = Shared(total(s), total_power(q));
    if (invocation == 0u) {
        atomicStore(&shared_refusals, 0u);
    }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            let other = shared_sums[invocation + half * COLUMNS];
            let own = shared_sums[invocation];
            shared_sums[invocation] = Shared(own.s + other.s, join_real(own.q, other.q));
        }
    }
    workgroupBarrier();
    let sums = shared_sums[invocation % COLUMNS];
    let count = span.units * PER_UNIT;
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
    return tree(accumulate(at, span.first + lane, units), invocation);
}
