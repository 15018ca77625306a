// Normalization, one invocation per segment (or per four neighbouring segments, where a unit spans columns).
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Invocation s takes segment s: it reads it twice, the second time from a cache if it is short, and writes it.
// No barriers. Chosen when: software adapters, where barriers cost more than anything; see tuning.rs.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = linear_workgroup(group, groups) * WORKGROUP + lane;
    if (index >= p.segments) {
        return;
    }
    let at = segment_at(index);
    let n = settle(accumulate(at, 0u, p.units), at.record);
    normalize(at, n, 0u, p.units);
}
