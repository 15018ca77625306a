// Normalization, one invocation per segment (or per four neighbouring segments, where a unit spans columns).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Invocation i takes segment i: it reads it twice, the second time from a cache if it is short, and writes it.
// Invocations beyond the last segment go along with it and write nothing. No barriers.
// Chosen when: software adapters, where barriers cost more than anything; see tuning.rs.

fn invocation(index: u32) {
    let present = FULL_GROUPS || index < p.segments;
    let at = segment_at(min(index, p.segments - 1u));
    normalize(Task(at, settle(accumulate(at, 0u, p.units), at.record, present), present), 0u, p.units);
}
