// Normalization, one invocation per segment (or per four neighbouring segments, where a unit spans columns).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// An invocation reads its segment twice, the second time from a cache if it is short, and writes it.
// Invocations beyond the last segment go along with it and write nothing. No barriers.
// Chosen when: software adapters, where barriers cost more than anything; see tuning.rs.

fn invocation(index: u32) {
    let segment = segment_of(index);
    let present = FULL_GROUPS || segment < p.segments;
    let at = from_first_unit(segment_at(select(stand_in(index), segment, present)));
    let units = segment_units();
    normalize(Task(at, settle(accumulate(at, 0u, units), at.record, present), present), 0u, units);
}

// The segments of a workgroup are neighbours, or PERIOD apart, so that all of them begin alike.
fn segment_of(index: u32) -> u32 {
    let number = index / WORKGROUP;
    let block = number / PERIOD;
    return (block * WORKGROUP + index % WORKGROUP) * PERIOD + (number - block * PERIOD);
}

// A segment to go along with, which begins as those of the workgroup do: the first that does.
fn stand_in(index: u32) -> u32 {
    return min(index / WORKGROUP % PERIOD, p.segments - 1u);
}
