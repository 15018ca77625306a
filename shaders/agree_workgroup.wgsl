// A workgroup per segment: the vote of its first lane, which all can tell to be the same. See reduce_workgroup.wgsl.

// True if `yes` is, of all segments whose invocations go on together.
var<workgroup> shared_agreement: u32;

fn all_agree(yes: bool, place: Place) -> bool {
    if (place.lane == 0u) {
        shared_agreement = select(0u, 1u, yes);
    }
    return workgroupUniformLoad(&shared_agreement) == 1u;
}
