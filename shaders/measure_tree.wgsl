// Part of a workgroup per segment, or all of it: the largest magnitude over its lanes. See reduce_tree.wgsl.

var<workgroup> shared_max: array<u32, WORKGROUP>;

fn reduce_max(v: u32, place: Place) -> u32 {
    workgroupBarrier();
    shared_max[place.invocation] = v;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (place.lane < half) {
            shared_max[place.invocation] = max(shared_max[place.invocation], shared_max[place.invocation + half]);
        }
    }
    workgroupBarrier();
    return shared_max[place.invocation - place.lane];
}
