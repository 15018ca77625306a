// dx with the coefficients of the segments.
//   dx = r (dy weight - a - x_hat b)
// Reads x and dy once, writes dx once. One invocation takes a contiguous span of a segment, or of ROWS neighbouring ones
// (LANES = 1), or a workgroup does, its lanes in turn, coalesced. No barriers. Chosen when: after gradient_finish.wgsl, or
// where statistics are given.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let index = linear_workgroup(group, groups);
    if (LANES == 1u) {
        let spans = spans_at(index * WORKGROUP + invocation);
        for (var row = 0u; row < spans.rows; row++) {
            let at = segment_at(spans.segment + row);
            write_dx(Task(at, recorded(at.record), true), coefficients_at(at.record), spans.first, spans.units);
        }
    } else if (index < p.segments * p.spans) {
        let span = span_at(index);
        let at = segment_at(span.segment);
        let units = lane_share(span.units, invocation);
        write_dx(Task(at, recorded(at.record), true), coefficients_at(at.record), span.first + invocation, units);
    }
}
