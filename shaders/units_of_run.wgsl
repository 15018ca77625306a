// The units of a segment begin where its runs do, and elements that fill none follow each run.

fn from_first_unit(at: Segment) -> Segment {
    return at;
}

fn segment_units() -> u32 {
    return p.units;
}

fn run_units() -> u32 {
    return p.run_units;
}

// Elements of a run that fill no unit.
fn loose_elements() -> u32 {
    return p.tail;
}

// Where one of those lies, from behind the last unit on.
fn loose_at(j: u32) -> u32 {
    return j;
}
