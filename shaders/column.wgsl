// Normalization of tiles of neighbouring segments, whose elements interleave in memory.
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// A workgroup takes COLUMNS units of neighbouring segments; LANES invocations share each, taking its elements in
// turn: reads and writes are coalesced across the segments. x is read twice, the second time from a cache where
// the tile fits one. Barriers: log2(LANES) + 3.
// Chosen when: hardware adapters, enough neighbouring segments to fill the device; see tuning.rs.

var<workgroup> normalizers: array<Normalizer, COLUMNS>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let column = invocation % COLUMNS;
    let lane = invocation / COLUMNS;
    let index = linear_workgroup(group, groups) * COLUMNS + column;
    let present = index < p.segments;
    let at = segment_at(min(index, p.segments - 1u));
    let units = lane_share(p.units, lane);
    let t = tree(accumulate(at, lane, units), invocation);
    if (lane == 0u) {
        normalizers[column] = settle(t, at.record, present);
    }
    workgroupBarrier();
    normalize(Task(at, normalizers[column], present), lane, units);
}
