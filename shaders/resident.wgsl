// Normalization of one segment that LANES invocations hold in registers (one invocation, part of a subgroup, a subgroup,
// or a workgroup; see the files that call this for which).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Lane j of a segment holds its units j, j + LANES, ..., and of the elements beside them (resident_tail.wgsl) as many:
// one read and one write. Where units begin: units_of_run.wgsl and units_of_memory.wgsl. The segment is one chunk: its
// pivot is the mean to f32, and the deviations from that give the mean's rest and the squares.
//   s = sum(x - k), q = sum((x - k)^2)
// How k is found: resident_quick.wgsl and resident_exact.wgsl.
// Lanes without a segment repeat the last one and write nothing, so that control
// flow is uniform. Where all segments have the same weights and an invocation takes several segments (HOLD), it
// reads its share of the weights once, in hold_parameters.
//
// Registers have no index: an array stays in them only if every index is known when the shader is compiled. So units are
// gone through without a loop, four and four (resident_units.wgsl), or, for software adapters, which take long to compile
// loads, in a loop that turns the array round (resident_units_rolled.wgsl).

// See resident_units.wgsl.
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
    return cursor_at(at, min(place.lane, segment_units() - 1u));
}

// True if unit i of a lane is one of the segment's.
fn holds(lane: u32, i: u32) -> bool {
    return FULL_LANES || lane + i * LANES < segment_units();
}

// Steps from unit i of a lane to its next one, if it has one.
fn step_from(i: u32, walk: ptr<function, Walk>, place: Place) {
    if (holds(place.lane, i + 1u)) {
        (*walk).c = advance((*walk).c, (*walk).at);
    }
}

// Those of segments that begin as this one does.
fn hold_parameters(index: u32, place: Place) {
    if (!HOLD) {
        return;
    }
    var walk: Walk;
    walk.at = from_first_unit(segment_at(min(index, p.segments - 1u)));
    walk.c = first_of(walk.at, place);
    hold_units(&walk, place);
    hold_tail_parameters(walk.at, place);
}

// What is done with unit i of a lane, which is in the registers' place j.

fn hold_unit(i: u32, j: u32, walk: ptr<function, Walk>, place: Place) {
    held_weight[j] = weight_at((*walk).c.weight);
    held_bias[j] = bias_at((*walk).c.weight);
    step_from(i, walk, place);
}

fn read_unit(i: u32, j: u32, walk: ptr<function, Walk>, place: Place) {
    if (holds(place.lane, i)) {
        held[j] = load((*walk).c.x);
        if (MEASURED) {
            (*walk).largest = max((*walk).largest, magnitude(held[j]));
        }
    }
    step_from(i, walk, place);
}

struct Sums {
    s: Sum,
    q: Sum,
}

// Of the deviations from the pivot.
fn sums_of(walk: Walk, place: Place) -> Sums {
    var sums = Sums(Sum(0.0), Sum(0.0));
    sum_units(walk, place, &sums);
    sum_tail(walk, place, &sums);
    return sums;
}

fn sum_unit(i: u32, walk: Walk, place: Place, sums: ptr<function, Sums>) {
    if (holds(place.lane, i)) {
        var s = (*sums).s;
        var q = (*sums).q;
        absorb(held[i] * walk.scale, walk.k, &s, &q);
        *sums = Sums(s, q);
    }
}

fn write_segment(walk: ptr<function, Walk>, place: Place) {
    if (ONE_WEIGHT) {
        held_weight[0] = weight_at((*walk).c.weight);
        held_bias[0] = bias_at((*walk).c.weight);
    }
    write_units(walk, place);
}

fn write_unit(i: u32, walk: ptr<function, Walk>, place: Place) {
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

fn resident(index: u32, place: Place) {
    var walk: Walk;
    walk.present = FULL_GROUPS || index < p.segments;
    walk.at = from_first_unit(segment_at(min(index, p.segments - 1u)));
    walk.c = first_of(walk.at, place);
    read_units(&walk, place);
    walk.largest = max(walk.largest, read_tail(walk.at, place));
    walk.n = normalizer_of_segment(&walk, place);

    walk.c = first_of(walk.at, place);
    write_segment(&walk, place);
    write_tail(walk, place);
}
