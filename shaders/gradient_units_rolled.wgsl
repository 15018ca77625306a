// Loads of the units of a lane of gradient_resident.wgsl, for software adapters: compiled once, or twice, by turning the
// registers round, as in resident_units_rolled.wgsl.

fn hold_units(first: Cursor, place: Place) {
    hold_some(0u, first, place);
    if (UNITS > 8u) {
        hold_some(8u, first, place);
    }
}

fn hold_some(from: u32, first: Cursor, place: Place) {
    for (var i = from; i < min(from + 8u, UNITS); i++) {
        hold_unit(i, from, first, place);
        turn(&held_weight, from);
    }
}

fn read_units(row: Row, place: Place) {
    read_some(0u, row, place);
    if (UNITS > 8u) {
        read_some(8u, row, place);
    }
}

fn read_some(from: u32, row: Row, place: Place) {
    for (var i = from; i < min(from + 8u, UNITS); i++) {
        read_unit(i, from, row, place);
        turn(&held, from);
        turn(&held_dy, from);
    }
}
