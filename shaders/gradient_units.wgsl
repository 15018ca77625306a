// Loads of the units of a lane of gradient_resident.wgsl, without a loop: as in resident_units.wgsl.

fn hold_units(first: Cursor, place: Place) {
    hold_unit(0u, 0u, first, place);
    hold_unit(1u, 1u, first, place);
    hold_unit(2u, 2u, first, place);
    hold_unit(3u, 3u, first, place);
    if (UNITS > 4u) {
        hold_unit(4u, 4u, first, place);
        hold_unit(5u, 5u, first, place);
        hold_unit(6u, 6u, first, place);
        hold_unit(7u, 7u, first, place);
    }
}

fn read_units(row: Row, place: Place) {
    read_unit(0u, 0u, row, place);
    read_unit(1u, 1u, row, place);
    read_unit(2u, 2u, row, place);
    read_unit(3u, 3u, row, place);
    if (UNITS > 4u) {
        read_unit(4u, 4u, row, place);
        read_unit(5u, 5u, row, place);
        read_unit(6u, 6u, row, place);
        read_unit(7u, 7u, row, place);
    }
}
