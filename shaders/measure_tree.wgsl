// Part of a workgroup per segment, or all of it: the largest magnitude over its lanes, and votes. See reduce_tree.wgsl.

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

// True if `yes` is, of all segments whose invocations go on together.
var<workgroup> shared_votes: array<u32, WORKGROUP / LANES>;
var<workgroup> shared_agreement: u32;

fn all_agree(yes: bool, place: Place) -> bool {
    if (place.lane == 0u) {
        shared_votes[place.slot] = select(0u, 1u, yes);
    }
    workgroupBarrier();
    if (place.invocation == 0u) {
        var agreement = 1u;
        for (var slot = 0u; slot < WORKGROUP / LANES; slot++) {
            agreement &= shared_votes[slot];
        }
        shared_agreement = agreement;
    }
    return workgroupUniformLoad(&shared_agreement) == 1u;
}
