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
    var by = Factors(fixed, splat(1.0));
    var left = units;
    if (ACROSS_RUNS && !MAXIMUM) {
        for (; left >= 4u; left -= 4u) {
            let four = four_from(c, at);
            absorb_four(four, by, &s, &q);
            c = advance(four.d, at);
        }
    }
    while (left > 0u) {
        let take = within_run(c.unit, left);
        if (!WEIGHT_VARIES) {
            by = factors_at(c, by);
        }
        var i = 0u;
        if (!SOFTWARE && !MAXIMUM) {
            for (; i + 4u <= take; i += 4u) {
                absorb_four(four_along(c), by, &s, &q);
                c = along(c, 4u);
            }
        }
        for (; i < take; i++) {
            let u = load(c.x);
            let term = term_of(u, c, by);
            absorb_gradient(term.g, term.x_hat, &s, &q);
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

// What a unit of x and dy is multiplied with.
struct Factors {
    n: Normalizer,
    weight: Unit,
}

// Those at a cursor; the others stay.
fn factors_at(c: Cursor, others: Factors) -> Factors {
    if (BY_WEIGHT) {
        return Factors(recorded(c.weight), others.weight);
    }
    return Factors(others.n, weight_at(c.weight));
}

struct Term {
    g: Unit,
    x_hat: Unit,
}

fn term_of(u: Unit, c: Cursor, fixed: Factors) -> Term {
    var by = fixed;
    if (WEIGHT_VARIES || ACROSS_RUNS) {
        by = factors_at(c, fixed);
    }
    var g = load_dy(c);
    if (!BY_WEIGHT) {
        g = times(g, by.weight);
    }
    return Term(g, x_hat_at(u, c, by.weight, by.n));
}

// Four units at once, all of them read before the first is added.
fn absorb_four(four: Four, by: Factors, s: ptr<function, Sum>, q: ptr<function, Sum>) {
    let a = term_of(load(four.a.x), four.a, by);
    let b = term_of(load(four.b.x), four.b, by);
    let c = term_of(load(four.c.x), four.c, by);
    let d = term_of(load(four.d.x), four.d, by);
    absorb_gradient(a.g, a.x_hat, s, q);
    absorb_gradient(b.g, b.x_hat, s, q);
    absorb_gradient(c.g, c.x_hat, s, q);
    absorb_gradient(d.g, d.x_hat, s, q);
}
