// Normalization of tiles: neighbouring segments, whose elements interleave in memory, or one segment.
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// A workgroup takes COLUMNS units of neighbouring segments, or a segment; LANES invocations share each, taking its units
// in turn: reads and writes are coalesced. x is read twice, the second time from a cache where the tiles at work fit one.
// Barriers: those of shared_part, and 1.
// Chosen when: hardware adapters, enough neighbouring segments to fill the device, or segments that are longer than
// registers hold; see tuning.rs.

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
    let t = shared_part(at, Span(index, 1u, 0u, 0u, p.units), lane, invocation);
    if (lane == 0u) {
        normalizers[column] = settle(t, at.record, present);
    }
    workgroupBarrier();
    normalize(Task(at, normalizers[column], present), lane, lane_share(p.units, lane));
}
