// Segments of whole units: no elements after them.

fn hold_tail_parameters(at: Segment, place: Place) {}

fn read_tail(at: Segment, place: Place) -> u32 {
    return 0u;
}

fn sum_tail(walk: Walk, place: Place, sums: ptr<function, Sums>) {}

fn write_tail(walk: Walk, place: Place) {}
