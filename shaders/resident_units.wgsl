// The units of a lane, one after the other, without a loop: every index into the registers is known when the shader is
// compiled, and all loads are on their way before the first is needed. (wgpu bounds loops by a counter of its own, which
// keeps compilers from unrolling them.)

fn hold_units(walk: ptr<function, Walk>, place: Place) {
    hold_four(0u, walk, place);
    if (UNITS > 4u) {
        hold_four(4u, walk, place);
    }
    if (UNITS > 8u) {
        hold_four(8u, walk, place);
    }
    if (UNITS > 12u) {
        hold_four(12u, walk, place);
    }
}

fn hold_four(first: u32, walk: ptr<function, Walk>, place: Place) {
    hold_unit(first, first, walk, place);
    if (first + 1u < UNITS) {
        hold_unit(first + 1u, first + 1u, walk, place);
    }
    if (first + 2u < UNITS) {
        hold_unit(first + 2u, first + 2u, walk, place);
    }
    if (first + 3u < UNITS) {
        hold_unit(first + 3u, first + 3u, walk, place);
    }
}

fn read_units(walk: ptr<function, Walk>, place: Place) {
    read_four(0u, walk, place);
    if (UNITS > 4u) {
        read_four(4u, walk, place);
    }
    if (UNITS > 8u) {
        read_four(8u, walk, place);
    }
    if (UNITS > 12u) {
        read_four(12u, walk, place);
    }
}

fn read_four(first: u32, walk: ptr<function, Walk>, place: Place) {
    read_unit(first, first, walk, place);
    if (first + 1u < UNITS) {
        read_unit(first + 1u, first + 1u, walk, place);
    }
    if (first + 2u < UNITS) {
        read_unit(first + 2u, first + 2u, walk, place);
    }
    if (first + 3u < UNITS) {
        read_unit(first + 3u, first + 3u, walk, place);
    }
}

fn sum_units(walk: Walk, place: Place, sums: ptr<function, Sums>) {
    sum_four(0u, walk, place, sums);
    if (UNITS > 4u) {
        sum_four(4u, walk, place, sums);
    }
    if (UNITS > 8u) {
        sum_four(8u, walk, place, sums);
    }
    if (UNITS > 12u) {
        sum_four(12u, walk, place, sums);
    }
}

fn sum_four(first: u32, walk: Walk, place: Place, sums: ptr<function, Sums>) {
    sum_unit(first, walk, place, sums);
    if (first + 1u < UNITS) {
        sum_unit(first + 1u, walk, place, sums);
    }
    if (first + 2u < UNITS) {
        sum_unit(first + 2u, walk, place, sums);
    }
    if (first + 3u < UNITS) {
        sum_unit(first + 3u, walk, place, sums);
    }
}

fn write_units(walk: ptr<function, Walk>, place: Place) {
    write_four(0u, walk, place);
    if (UNITS > 4u) {
        write_four(4u, walk, place);
    }
    if (UNITS > 8u) {
        write_four(8u, walk, place);
    }
    if (UNITS > 12u) {
        write_four(12u, walk, place);
    }
}

fn write_four(first: u32, walk: ptr<function, Walk>, place: Place) {
    write_unit(first, walk, place);
    if (first + 1u < UNITS) {
        write_unit(first + 1u, walk, place);
    }
    if (first + 2u < UNITS) {
        write_unit(first + 2u, walk, place);
    }
    if (first + 3u < UNITS) {
        write_unit(first + 3u, walk, place);
    }
}
