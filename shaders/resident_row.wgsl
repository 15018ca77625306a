// The segments of a workgroup, each shared by several lanes: one for each of its places. Without a loop over one, which would
// be kept and stand before the first load.

fn rows_of(group: vec3<u32>, groups: vec3<u32>, place: Place) {
    resident(linear_workgroup(group, groups) * (WORKGROUP / LANES) + place.slot, place);
}
