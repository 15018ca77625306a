// The segments of a workgroup, each shared by several lanes: ROWS one after the other, PERIOD apart, which all begin alike.

fn rows_of(group: vec3<u32>, groups: vec3<u32>, place: Place) {
    let number = linear_workgroup(group, groups);
    let block = number / PERIOD;
    let first = number - block * PERIOD;
    hold_parameters(first, place);
    for (var row = 0u; row < ROWS; row++) {
        resident(((block * ROWS + row) * (WORKGROUP / LANES) + place.slot) * PERIOD + first, place);
    }
}
