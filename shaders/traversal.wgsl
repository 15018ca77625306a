// Where the units of a segment lie. A segment is `units` units: one run of them at equal steps, or (RUNS) several
// runs of `run_units` contiguous ones whose starts the reduced digits give. y is followed apart from x only where its
// strides are others (OWN_Y).

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
        return 1u;
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

fn segment_at(index: u32) -> Segment {
    var at = Segment(p.x_offset, p.y_offset, p.weight_offset, p.record_offset);
    var rest = index;
    for (var i = 0u; i < KEPT; i++) {
        let digit = p.digits[i];
        var position = rest;
        if (i + 1u < KEPT) {
            rest = position / digit.extent;
            position -= rest * digit.extent;
        }
        at.x += position * digit.x;
        at.weight += position * digit.weight;
        at.record += position * digit.record;
        if (OWN_Y) {
            at.y += position * digit.y;
        }
    }
    return at;
}

fn cursor_in_run(at: Segment, run: u32, unit: u32) -> Cursor {
    var c = Cursor(at.x + unit * step_x(), at.y + unit * step_y(), at.weight + unit * step_weight(), unit, run);
    var rest = run;
    for (var i = 0u; i < REDUCED; i++) {
        let digit = p.digits[KEPT + i];
        var position = rest;
        if (i + 1u < REDUCED) {
            rest = position / digit.extent;
            position -= rest * digit.extent;
        }
        c.x += position * digit.x;
        c.weight += position * digit.weight;
        if (OWN_Y) {
            c.y += position * digit.y;
        }
    }
    return c;
}

fn cursor_at(at: Segment, unit: u32) -> Cursor {
    if (RUNS) {
        let run = unit / p.run_units;
        return cursor_in_run(at, run, unit - run * p.run_units);
    }
    return Cursor(at.x + unit * step_x(), at.y + unit * step_y(), at.weight + unit * step_weight(), unit, 0u);
}

// Moves STRIDE units on.
fn advance(c: Cursor, at: Segment) -> Cursor {
    if (!RUNS) {
        return Cursor(
            c.x + STRIDE * step_x(),
            c.y + STRIDE * step_y(),
            c.weight + STRIDE * step_weight(),
            c.unit,
            0u,
        );
    }
    if (STRIDE > 1u) {
        return cursor_at(at, c.run * p.run_units + c.unit + STRIDE);
    }
    if (c.unit + 1u < p.run_units) {
        return Cursor(c.x + step_x(), c.y + step_y(), c.weight + step_weight(), c.unit + 1u, c.run);
    }
    return cursor_in_run(at, c.run + 1u, 0u);
}

// A span of a segment: the work of an invocation, or of a workgroup (LANES > 1).
struct Span {
    segment: u32,
    index: u32,
    first: u32,
    units: u32,
}

// Invocations next to each other take neighbouring segments, workgroups the spans of one segment in turn.
fn span_at(index: u32) -> Span {
    var span: Span;
    if (LANES > 1u) {
        span.segment = index / p.spans;
        span.index = index - span.segment * p.spans;
    } else {
        span.index = index / p.segments;
        span.segment = index - span.index * p.segments;
    }
    span.first = span.index * p.span_units;
    span.units = min(p.span_units, p.units - min(span.first, p.units));
    return span;
}

// Units that lane takes of `units` when LANES share them in turn.
fn lane_share(units: u32, lane: u32) -> u32 {
    return (units + LANES - 1u - lane) / LANES;
}
