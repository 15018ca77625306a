// dx, and the partial sums of dweight and dbias, of segments that LANES invocations hold in registers.
//   dx = r (dy weight - a - x_hat b)
// A workgroup takes ROWS segments one after the other in each of its slots: x and dy are read once and dx is written once.
// Lane j of a slot holds units j, j + LANES, ... of its segment; what it adds up for dweight and dbias: resident_sums.wgsl, and
// where each segment has one weight (WEIGHT_OF_SEGMENT) resident_sums_segments.wgsl. One reduction over the lanes a segment.
// Chosen when: contiguous segments with the same weights, or with one each, that a subgroup or a workgroup can hold. Units are read
// as in resident.wgsl (gradient_units.wgsl, gradient_units_rolled.wgsl); sums and stores are written out on all adapters: in a loop
// of four, which llvmpipe does not unroll, they took five times as long.
const_assert UNITS <= 8u;

const SLOTS: u32 = WORKGROUP / LANES;

// Software adapters keep their share of the weight. Others have fewer registers than that, and a cache.
const HOLD_WEIGHT: bool = SOFTWARE && !WEIGHT_OF_SEGMENT;

alias Registers = array<Unit, UNITS>;

var<private> held: Registers;
var<private> held_dy: Registers;
var<private> held_weight: Registers;

struct Row {
    at: Segment,
    first: Cursor,
    present: bool,
    n: Normalizer,
    s: Sum,
    q: Sum,
}

// True if unit i of a lane is one of the segment's.
fn holds(lane: u32, i: u32) -> bool {
    return FULL_LANES || lane + i * LANES < p.units;
}

fn first_of(at: Segment, place: Place) -> Cursor {
    return cursor_at(at, min(place.lane, p.units - 1u));
}

// What is done with unit i of a lane, which is, or goes, in the registers' place j.

fn hold_unit(i: u32, j: u32, first: Cursor, place: Place) {
    if (i < UNITS && holds(place.lane, i)) {
        held_weight[j] = weight_at(along(first, i).weight);
    }
}

fn weight_of(i: u32, c: Cursor) -> Unit {
    if (HOLD_WEIGHT) {
        return held_weight[i];
    }
    return weight_at(c.weight);
}

fn read_unit(i: u32, j: u32, row: Row, place: Place) {
    if (i < UNITS && holds(place.lane, i)) {
        let c = along(row.first, i);
        held[j] = load(c.x);
        held_dy[j] = load_dy(c);
    }
}

fn sum_unit(i: u32, row: ptr<function, Row>, place: Place) {
    if (i < UNITS && holds(place.lane, i)) {
        let c = along((*row).first, i);
        let w = weight_of(i, c);
        let x_hat = x_hat_at(held[i], c, w, (*row).n);
        var s = (*row).s;
        var q = (*row).q;
        var g = held_dy[i];
        if (!WEIGHT_OF_SEGMENT) {
            g = times(g, w);
        }
        absorb_gradient(g, x_hat, &s, &q);
        (*row).s = s;
        (*row).q = q;
        if ((*row).present) {
            add_to_sums(i, held_dy[i], x_hat);
        }
    }
}

fn write_unit(i: u32, row: Row, k: Coefficients, place: Place) {
    if (i < UNITS && row.present && holds(place.lane, i)) {
        let c = along(row.first, i);
        let w = weight_of(i, c);
        let x_hat = x_hat_at(held[i], c, w, row.n);
        put_dx(c, gradient_of(held[i], times(held_dy[i], w), x_hat, k, row.n));
    }
}

fn sum_units(row: ptr<function, Row>, place: Place) {
    sum_unit(0u, row, place);
    sum_unit(1u, row, place);
    sum_unit(2u, row, place);
    sum_unit(3u, row, place);
    if (UNITS > 4u) {
        sum_unit(4u, row, place);
        sum_unit(5u, row, place);
        sum_unit(6u, row, place);
        sum_unit(7u, row, place);
    }
}

fn write_units(row: Row, k: Coefficients, place: Place) {
    write_unit(0u, row, k, place);
    write_unit(1u, row, k, place);
    write_unit(2u, row, k, place);
    write_unit(3u, row, k, place);
    if (UNITS > 4u) {
        write_unit(4u, row, k, place);
        write_unit(5u, row, k, place);
        write_unit(6u, row, k, place);
        write_unit(7u, row, k, place);
    }
}

fn gradient_of_row(index: u32, place: Place) {
    var row: Row;
    row.present = FULL_GROUPS || index < p.segments;
    row.at = segment_at(min(index, p.segments - 1u));
    row.first = first_of(row.at, place);
    row.n = recorded(row.at.record);
    read_units(row, place);
    sum_units(&row, place);
    var sums = reduce_sum(vec2(total(row.s), total(row.q)), place);
    if (WEIGHT_OF_SEGMENT) {
        emit_segment(row, sums, place);
        sums *= unit_first(weight_at(row.first.weight));
    }
    write_units(row, coefficients_of(Sums(sums.x, sums.y, 0u, 0u), row.n), place);
}

fn rows_of(group: vec3<u32>, groups: vec3<u32>, place: Place) {
    let workgroup = linear_workgroup(group, groups);
    if (HOLD_WEIGHT) {
        hold_units(first_of(segment_at(0u), place), place);
    }
    for (var row = 0u; row < ROWS; row++) {
        gradient_of_row((workgroup * ROWS + row) * SLOTS + place.slot, place);
    }
    emit_units(workgroup, place);
}
