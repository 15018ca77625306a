// Loads of the units of a lane of gradient_resident.wgsl, for software adapters: compiled once, by turning the registers round,
// as in resident_units_rolled.wgsl.

fn hold_units(first: Cursor, place: Place) {
    for (var i = 0u; i < UNITS; i++) {
        hold_unit(i, 0u, first, place);
        turn(&held_weight);
    }
}

fn read_units(row: Row, place: Place) {
    for (var i = 0u; i < UNITS; i++) {
        read_unit(i, 0u, row, place);
        turn(&held);
        turn(&held_dy);
    }
}
