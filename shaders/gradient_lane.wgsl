// dx, one invocation per segment (or per four neighbouring segments, where a unit spans columns).
//   dx = r (dy weight - a - x_hat b)
// Invocation i takes segment i: it reads x and dy twice, the second time from a cache if they are short, and writes dx.
// Invocations beyond the last segment go along with it and write nothing. No barriers.
// Chosen when: software adapters, where barriers cost more than anything; see tuning.rs.

fn invocation(index: u32) {
    let present = FULL_GROUPS || index < p.segments;
    let at = segment_at(min(index, p.segments - 1u));
    let n = recorded(at.record);
    let k = coefficients_of(accumulate(at, n, 0u, p.units), n);
    write_dx(Task(at, n, present), k, 0u, p.units);
}
