// Part of a workgroup per segment, or all of it: votes of its segments. See reduce_tree.wgsl.

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
