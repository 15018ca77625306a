// The segments of a workgroup, each shared by several lanes: ROWS one after the other.

fn rows_of(group: vec3<u32>, groups: vec3<u32>, place: Place) {
    hold_parameters(place);
    for (var row = 0u; row < ROWS; row++) {
        resident((linear_workgroup(group, groups) * ROWS + row) * (WORKGROUP / LANES) + place.slot, place);
    }
}
