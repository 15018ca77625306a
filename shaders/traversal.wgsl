// Where the units of a segment lie. A segment is `units` units: one run of them at equal steps, or (RUNS) runs of
// `run_units` units whose starts the reduced digits give, each followed by what tail.wgsl says. Where those starts are where
// the last run ends (FLAT), units are one run but for their weight. y is followed apart from x only where its strides are
// others (OWN_Y).

struct Segment {
    x: u32,
    y: u32,
    weight: u32,
    record: u32,
}

struct Cursor {
    x: u32,
    y: u32,
    weight: u32,
    unit: u32,  // within the run
    run: u32,
}

// Uniforms are read again at every use where a loop also stores, which software adapters feel: the usual steps are
// constants.
fn step_x() -> u32 {
    if (UNIT_STEPS) {
        return UNIT_STEP;
    }
    return p.step_x;
}

fn step_weight() -> u32 {
    if (UNIT_STEPS) {
        return WEIGHT_STEP;
    }
    return p.step_weight;
}

fn step_y() -> u32 {
    if (OWN_Y) {
        return p.step_y;
    }
    return 0u;
}

// The index in y of what a cursor points at.
fn place_in_y(c: Cursor) -> u32 {
    if (OWN_Y) {
        return c.y;
    }
    return c.x + select(0u, p.y_shift, SHIFTED);
}

// The first digit of runs, and the last; any that there is, where there are no runs.
const FIRST_OF_RUNS: u32 = min(KEPT, 8u);
const LAST_OF_RUNS: u32 = min(KEPT + max(REDUCED, 1u) - 1u, 8u);

// Takes the innermost digit off a number, and leaves the others.
fn take_digit(extent: u32, rest: ptr<function, u32>) -> u32 {
    let number = *rest;
    *rest = number / extent;
    return number - *rest * extent;
}

// Digits are taken off one after the other, and what is left is the last of them. The first is taken off without a loop: a
// loop over one or two digits would be kept (wgpu bounds loops by a counter of its own), in front of the first load.

fn segment_at(index: u32) -> Segment {
    var at = Segment(p.x_offset, p.y_offset, p.weight_offset, p.record_offset);
    var rest = index;
    if (KEPT > 1u) {
        at = moved_segment(at, p.digits[0], take_digit(p.digits[0].extent, &rest));
    }
    for (var i = 1u; i + 1u < KEPT; i++) {
        at = moved_segment(at, p.digits[i], take_digit(p.digits[i].extent, &rest));
    }
    if (KEPT > 0u) {
        at = moved_segment(at, p.digits[max(KEPT, 1u) - 1u], rest);
    }
    return at;
}

fn moved_segment(at: Segment, digit: Digit, position: u32) -> Segment {
    var moved = at;
    moved.x += position * digit.x;
    moved.weight += position * digit.weight;
    moved.record += position * digit.record;
    if (OWN_Y) {
        moved.y += position * digit.y;
    }
    return moved;
}

fn cursor_in_run(at: Segment, run: u32, unit: u32) -> Cursor {
    var c = Cursor(at.x + unit * step_x(), at.y + unit * step_y(), at.weight + unit * step_weight(), unit, run);
    var rest = run;
    if (REDUCED > 1u) {
        c = moved_cursor(c, p.digits[FIRST_OF_RUNS], take_digit(p.digits[FIRST_OF_RUNS].extent, &rest));
    }
    for (var i = 1u; i + 1u < REDUCED; i++) {
        c = moved_cursor(c, p.digits[KEPT + i], take_digit(p.digits[KEPT + i].extent, &rest));
    }
    if (REDUCED > 0u) {
        c = moved_cursor(c, p.digits[LAST_OF_RUNS], rest);
    }
    return c;
}

fn moved_cursor(c: Cursor, digit: Digit, position: u32) -> Cursor {
    var moved = c;
    moved.x += position * digit.x;
    moved.weight += position * digit.weight;
    if (OWN_Y) {
        moved.y += position * digit.y;
    }
    return moved;
}

fn cursor_at(at: Segment, unit: u32) -> Cursor {
    if (FLAT) {
        // Only the weight follows runs: loads do not wait for it.
        let weight = at.weight + unit / run_units() * p.digits[FIRST_OF_RUNS].weight;
        return Cursor(at.x + unit * step_x(), at.y + unit * step_y(), weight, unit, 0u);
    }
    if (RUNS) {
        let run = unit / run_units();
        return cursor_in_run(at, run, unit - run * run_units());
    }
    return cursor_in_run(at, 0u, unit);
}

// The cursor `units` times STRIDE units on, in the same run.
fn along(c: Cursor, units: u32) -> Cursor {
    let steps = units * STRIDE;
    return Cursor(
        c.x + steps * step_x(),
        c.y + steps * step_y(),
        c.weight + steps * step_weight(),
        c.unit + steps,
        c.run,
    );
}

// How many of the next `units` units, STRIDE apart, lie in the run, from its given unit on.
fn within_run(unit: u32, units: u32) -> u32 {
    if (RUNS) {
        return min(units, (run_units() - unit + STRIDE - 1u) / STRIDE);
    }
    return units;
}

// True of a unit beyond the last of a run.
fn is_beyond_run(unit: u32) -> bool {
    return RUNS && unit >= run_units();
}

// The unit within its run of a unit of the segment, or of those from a run on.
fn unit_of_run(unit: u32) -> u32 {
    if (RUNS) {
        return unit % run_units();
    }
    return unit;
}

// Where a cursor that has left its run goes on.
fn next_run(c: Cursor, at: Segment) -> Cursor {
    if (STRIDE > 1u) {
        return cursor_at(at, c.run * run_units() + c.unit);
    }
    return cursor_in_run(at, c.run + 1u, 0u);
}

// Moves STRIDE units on.
fn advance(c: Cursor, at: Segment) -> Cursor {
    if (FLAT) {
        return cursor_at(at, c.unit + STRIDE);
    }
    let next = along(c, 1u);
    if (is_beyond_run(next.unit)) {
        return next_run(next, at);
    }
    return next;
}

// Four units are moved at once wherever they lie, so that their loads are on their way together, where the lanes of a
// workgroup may find few units in a run.
const ACROSS_RUNS: bool = UNROLL == 4u && PER_UNIT == 4u && RUNS && STRIDE > 1u && !TAIL;

struct Four {
    a: Cursor,
    b: Cursor,
    c: Cursor,
    d: Cursor,
}

// A cursor with the next three, of one run.
fn four_along(c: Cursor) -> Four {
    return Four(c, along(c, 1u), along(c, 2u), along(c, 3u));
}

// A cursor with the next three, of any run.
fn four_from(c: Cursor, at: Segment) -> Four {
    let second = advance(c, at);
    let third = advance(second, at);
    return Four(c, second, third, advance(third, at));
}

// A span of a segment, or of `rows` neighbouring ones: the work of an invocation, or of a workgroup (LANES > 1), whose
// invocations take COLUMNS neighbouring segments, LANES each.
struct Span {
    segment: u32,
    rows: u32,
    index: u32,
    first: u32,
    units: u32,
}

fn tiles() -> u32 {
    return (p.segments + COLUMNS - 1u) / COLUMNS;
}

// Workgroups take the spans of one segment in turn, or, of neighbouring segments, what is side by side.
fn tile_at(index: u32) -> Span {
    if (COLUMNS == 1u) {
        let segment = index / p.spans;
        return span_of(segment, 1u, index - segment * p.spans);
    }
    let across = tiles();
    let span = index / across;
    let segment = (index - span * across) * COLUMNS;
    return span_of(segment, min(COLUMNS, p.segments - segment), span);
}

// Invocations next to each other take neighbouring segments, ROWS each; no rows beyond the last span.
fn spans_at(index: u32) -> Span {
    let blocks = (p.segments + ROWS - 1u) / ROWS;
    let span = index / blocks;
    let segment = (index - span * blocks) * ROWS;
    let rows = select(0u, min(ROWS, p.segments - segment), span < p.spans);
    return span_of(segment, rows, span);
}

fn span_of(segment: u32, rows: u32, index: u32) -> Span {
    let first = index * p.span_units;
    return Span(segment, rows, index, first, min(p.span_units, p.units - min(first, p.units)));
}

// Units that lane takes of `units` when LANES share them in turn.
fn lane_share(units: u32, lane: u32) -> u32 {
    return (units + LANES - 1u - lane) / LANES;
}
