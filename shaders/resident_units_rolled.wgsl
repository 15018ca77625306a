// The units of a lane in loops, for software adapters: the text of a load or a store is compiled once, or a few times. One
// unit goes to the array's start, and the array is turned round by one, until all units are where they belong; eight units at a
// time. Loops over the array itself are unrolled if they are short, hence the blocks.

fn hold_units(walk: ptr<function, Walk>, place: Place) {
    hold_some(0u, walk, place);
    if (UNITS > 8u) {
        hold_some(8u, walk, place);
    }
}

fn hold_some(first: u32, walk: ptr<function, Walk>, place: Place) {
    for (var i = first; i < min(first + 8u, UNITS); i++) {
        hold_unit(i, first, walk, place);
        turn(&held_weight, first);
        turn(&held_bias, first);
    }
}

fn read_units(walk: ptr<function, Walk>, place: Place) {
    read_some(0u, walk, place);
    if (UNITS > 8u) {
        read_some(8u, walk, place);
    }
}

fn read_some(first: u32, walk: ptr<function, Walk>, place: Place) {
    for (var i = first; i < min(first + 8u, UNITS); i++) {
        read_unit(i, first, walk, place);
        turn(&held, first);
    }
}

fn sum_units(walk: Walk, place: Place, sums: ptr<function, Sums>) {
    sum_some(0u, walk, place, sums);
    if (UNITS > 8u) {
        sum_some(8u, walk, place, sums);
    }
}

fn sum_some(first: u32, walk: Walk, place: Place, sums: ptr<function, Sums>) {
    for (var i = first; i < min(first + 8u, UNITS); i++) {
        sum_unit(i, walk, place, sums);
    }
}

fn write_units(walk: ptr<function, Walk>, place: Place) {
    write_some(0u, walk, place);
    if (UNITS > 4u) {
        write_some(4u, walk, place);
    }
    if (UNITS > 8u) {
        write_some(8u, walk, place);
    }
    if (UNITS > 12u) {
        write_some(12u, walk, place);
    }
}

fn write_some(first: u32, walk: ptr<function, Walk>, place: Place) {
    for (var i = first; i < min(first + 4u, UNITS); i++) {
        write_unit(i, walk, place);
    }
}
