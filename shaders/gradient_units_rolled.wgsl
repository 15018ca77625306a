// Loads of the units of a lane of gradient_resident.wgsl, for software adapters: compiled once, or twice, by turning the
// registers round, as in resident_units_rolled.wgsl.

fn hold_units(first: Cursor, place: Place) {
    hold_some(0u, first, place);
    if (UNITS > 8u) {
        hold_some(8u, first, place);
    }
}

fn hold_some(block: u32, first: Cursor, place: Place) {
    for (var i = block; i < min(block + 8u, UNITS); i++) {
        hold_unit(i, block, first, place);
        turn(&held_weight, block);
    }
}

fn read_units(row: Row, place: Place) {
    read_some(0u, row, place);
    if (UNITS > 8u) {
        read_some(8u, row, place);
    }
}

fn read_some(block: u32, row: Row, place: Place) {
    for (var i = block; i < min(block + 8u, UNITS); i++) {
        read_unit(i, block, row, place);
        turn(&held, block);
        turn(&held_dy, block);
    }
}
