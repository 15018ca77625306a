// The units of a lane in loops, for software adapters: the text of a load or a store is compiled once, or four times. One
// unit goes to the array's start, and the array is turned round by one, until all units are where they belong. Loops over
// the array itself are unrolled if they are short, hence the blocks.

fn hold_units(walk: ptr<function, Walk>, place: Place) {
    for (var i = 0u; i < UNITS; i++) {
        hold_unit(i, 0u, walk, place);
        turn(&held_weight);
        turn(&held_bias);
    }
}

fn read_units(walk: ptr<function, Walk>, place: Place) {
    for (var i = 0u; i < UNITS; i++) {
        read_unit(i, 0u, walk, place);
        turn(&held);
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
