// Normalization of one segment that LANES invocations hold in registers (one invocation, part of a subgroup, a subgroup,
// or a workgroup; see the files that call this for which).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Lane j of a segment holds its units j, j + LANES, ..., and of the elements after them (resident_tail.wgsl) as many:
// one read and one write. The segment is one chunk: its pivot is the mean to f32, and the deviations from that give the
// mean's rest and the squares.
//   scale by the largest magnitude;  k = x0 + mean(x - x0), x0 the mean of the first unit;
//   s = sum(x - k), q = sum((x - k)^2)
// Three reductions over the lanes. Lanes without a segment repeat the last one and write nothing, so that control
// flow is uniform. Where all segments have the same weights and an invocation takes several segments (HOLD), it
// reads its share of the weights once, in hold_parameters.
//
// Registers have no index: an array stays in them only if every index is known when the shader is compiled. Compilers
// unroll loops for that if they are short, hence `sum_some` and `write_some`. Software adapters take long to compile loads,
// so that those stay in a loop (ROLLED): one unit goes to the array's start, and the array is turned round by one, until
// all units are where they belong.

const BLOCK: u32 = select(UNITS, 1u, ROLLED);
// See sum_units and write_units.
const_assert UNITS <= 16u;

// All units of a segment have the same weight, and the same bias.
const ONE_WEIGHT: bool = !WEIGHT_VARIES && !RUNS && !HOLD;

alias Registers = array<Unit, UNITS>;

var<private> held: Registers;
var<private> held_weight: Registers;
var<private> held_bias: Registers;

// A segment on its way.
struct Walk {
    at: Segment,
    c: Cursor,
    present: bool,
    largest: u32,
    scale: f32,
    k: f32,  // the pivot
    n: Normalizer,
}

fn first_of(at: Segment, place: Place) -> Cursor {
    return cursor_at(at, min(place.lane, p.units - 1u));
}

// True if unit i of a lane is one of the segment's.
fn holds(lane: u32, i: u32) -> bool {
    return FULL_LANES || lane + i * LANES < p.units;
}

fn turn(registers: ptr<private, Registers>) {
    if (!ROLLED) {
        return;
    }
    let first = (*registers)[0];
    for (var i = 1u; i < UNITS; i++) {
        (*registers)[i - 1u] = (*registers)[i];
    }
    (*registers)[UNITS - 1u] = first;
}

// Steps from unit i of a lane to its next one, if it has one.
fn step_from(i: u32, walk: ptr<function, Walk>, place: Place) {
    if (holds(place.lane, i + 1u)) {
        (*walk).c = advance((*walk).c, (*walk).at);
    }
}

fn hold_parameters(place: Place) {
    if (!HOLD) {
        return;
    }
    var walk: Walk;
    walk.at = segment_at(0u);
    walk.c = first_of(walk.at, place);
    for (var first = 0u; first < UNITS; first += BLOCK) {
        for (var j = 0u; j < BLOCK; j++) {
            held_weight[j] = weight_at(walk.c.weight);
            held_bias[j] = bias_at(walk.c.weight);
            step_from(first + j, &walk, place);
        }
        turn(&held_weight);
        turn(&held_bias);
    }
    hold_tail_parameters(walk.at, place);
}

fn read_units(walk: ptr<function, Walk>, place: Place) {
    for (var first = 0u; first < UNITS; first += BLOCK) {
        for (var j = 0u; j < BLOCK; j++) {
            let i = first + j;
            if (holds(place.lane, i)) {
                held[j] = load((*walk).c.x);
                (*walk).largest = max((*walk).largest, magnitude(held[j]));
            }
            step_from(i, walk, place);
        }
        turn(&held);
    }
}

struct Sums {
    s: Sum,
    q: Sum,
}

// Of the deviations from the pivot.
fn sum_units(walk: Walk, place: Place) -> Sums {
    var sums = Sums(Sum(0.0), Sum(0.0));
    sum_some(0u, walk, place, &sums);
    if (UNITS > 8u) {
        sum_some(8u, walk, place, &sums);
    }
    sum_tail(walk, place, &sums);
    return sums;
}

// Eight of them: loops are unrolled only if they are short.
fn sum_some(first: u32, walk: Walk, place: Place, sums: ptr<function, Sums>) {
    var s = (*sums).s;
    var q = (*sums).q;
    for (var i = first; i < min(first + 8u, UNITS); i++) {
        if (holds(place.lane, i)) {
            absorb(held[i] * walk.scale, walk.k, &s, &q);
        }
    }
    *sums = Sums(s, q);
}

fn write_units(walk: ptr<function, Walk>, place: Place) {
    if (ONE_WEIGHT) {
        held_weight[0] = weight_at((*walk).c.weight);
        held_bias[0] = bias_at((*walk).c.weight);
    }
    write_some(0u, walk, place);
    if (UNITS > 4u) {
        write_some(4u, walk, place);
    }
    if (UNITS > 8u) {
        write_some(8u, walk, place);
    }
    if (UNITS > 12u) {
        write_some(12u, walk, place);
    }
}

fn write_some(first: u32, walk: ptr<function, Walk>, place: Place) {
    for (var i = first; i < min(first + 4u, UNITS); i++) {
        let c = (*walk).c;
        var w: Unit;
        var b: Unit;
        if (HOLD) {
            w = held_weight[i];
            b = held_bias[i];
        } else if (ONE_WEIGHT) {
            w = held_weight[0];
            b = held_bias[0];
        } else {
            w = weight_at(c.weight);
            b = bias_at(c.weight);
        }
        let y = affine(center_and_scale(held[i], (*walk).n), w, b);
        if ((*walk).present && holds(place.lane, i)) {
            store(c, y);
        }
        step_from(i, walk, place);
    }
}

fn resident(index: u32, place: Place) {
    var walk: Walk;
    walk.present = FULL_GROUPS || index < p.segments;
    walk.at = segment_at(min(index, p.segments - 1u));
    walk.c = first_of(walk.at, place);
    read_units(&walk, place);
    let largest = reduce_max(max(walk.largest, read_tail(walk.at, place)), place);
    walk.scale = scale_of(largest);

    if (CENTERED) {
        walk.k = mean_of_first(walk.at, walk.scale, place);
        let s = total(sum_units(walk, place).s);
        walk.k = opaque(walk.k + reduce_sum(vec2(s, 0.0), place).x / f32(p.count));
    }
    let own = sum_units(walk, place);
    var sums = reduce_sum(vec2(total(own.s), total_power(own.q)), place);
    if (MAXIMUM) {
        sums.y = bitcast<f32>(largest) * walk.scale;
    }
    let t = moments_of_scaled(walk.k, sums.x, sums.y, p.count, largest);
    walk.n = settle(t, walk.at.record, walk.present && place.lane == 0u);

    walk.c = first_of(walk.at, place);
    write_units(&walk, place);
    write_tail(walk, place);
}
