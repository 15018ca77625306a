// A subgroup, or part of one, per segment: votes of its segments.

// True if `yes` is, of all segments whose invocations go on together.
fn all_agree(yes: bool, place: Place) -> bool {
    return subgroupAll(yes);
}
