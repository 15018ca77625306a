// The units of a lane of gradient_resident.wgsl in loops, for software adapters: as in resident_units_rolled.wgsl, loads are
// compiled once, by turning the registers round, and stores four times at most.
const_assert UNITS <= 8u;

fn turn(registers: ptr<private, Registers>) {
    let first = (*registers)[0];
    for (var i = 1u; i < UNITS; i++) {
        (*registers)[i - 1u] = (*registers)[i];
    }
    (*registers)[UNITS - 1u] = first;
}

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
