// Partial statistics: the moments of spans of every segment.
// Span i of segment s is units i * span_units and on. One invocation reads it (LANES = 1: neighbouring invocations take
// neighbouring segments, or each ROWS of them), or a workgroup does, its lanes in turn, and merges in a tree.
// Reads x once; writes one moments per span at [span][record], records being numbered within the dispatch's segments.
// Barriers: log2(LANES) + 1 if LANES > 1.
// Chosen when: few long segments, or tiles of columns; see tuning.rs.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let workgroup = linear_workgroup(group, groups);
    if (LANES == 1u) {
        let spans = spans_at(workgroup * WORKGROUP + invocation);
        for (var row = 0u; row < spans.rows; row++) {
            let at = segment_at(spans.segment + row);
            let t = accumulate(at, spans.first, spans.units);
            emit_part((p.first_span + spans.index) * p.parts_stride + at.record, t);
        }
    } else {
        let all = p.segments * p.spans;
        let span = span_at(min(workgroup, all - 1u));
        let units = lane_share(span.units, invocation);
        let at = segment_at(span.segment);
        let t = tree(accumulate(at, span.first + invocation, units), invocation);
        if (invocation == 0u && workgroup < all) {
            emit_part((p.first_span + span.index) * p.parts_stride + at.record, t);
        }
    }
}
