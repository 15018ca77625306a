// The units of a segment, of one run, begin at multiples of sixteen elements of x and y, so that each is moved as a whole. A head
// of fewer elements lies before them, and others that fill none behind. Segments have as many units, or one fewer, as they begin.

var<private> head: u32;

fn from_first_unit(at: Segment) -> Segment {
    head = (0u - at.x) % UNIT_STEP;
    return Segment(at.x + head, at.y, at.weight + select(0u, head, WEIGHT_VARIES), at.record);
}

fn segment_units() -> u32 {
    return (p.units * UNIT_STEP + p.tail - head) / UNIT_STEP;
}

fn run_units() -> u32 {
    return segment_units();
}

// Elements that fill no unit.
fn loose_elements() -> u32 {
    return p.tail + (p.units - segment_units()) * UNIT_STEP;
}

// Where one of those lies, from behind the last unit on.
fn loose_at(j: u32) -> u32 {
    return j - head - select(0u, segment_units() * UNIT_STEP, j < head);
}
