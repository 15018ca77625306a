// Partial sums for the gradients: those of spans of every segment (see gradient_accumulate.wgsl).
// Span i of segment s is units i * span_units and on. One invocation reads it (LANES = 1: neighbouring invocations take
// neighbouring segments, or each ROWS of them), or a workgroup does, its lanes in turn, and merges in a tree.
// A segment is one of the normalization, or all that one weight multiplies (BY_WEIGHT).
// Reads x and dy once; writes one vec4 per span and segment at [span][segment]. Barriers: log2(LANES) + 1 if LANES > 1.
// Chosen when: dx in three dispatches, and always for dweight and dbias.

fn sums_of_span(at: Segment, first: u32, units: u32) -> Sums {
    var n: Normalizer;
    if (!BY_WEIGHT) {
        n = recorded(at.record);
    }
    return accumulate(at, n, first, units);
}

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
            emit_sums((p.first_span + spans.index) * p.parts_stride + at.record - p.record_offset,
                sums_of_span(at, spans.first, spans.units));
        }
    } else {
        let all = p.segments * p.spans;
        let span = span_at(min(workgroup, all - 1u));
        let units = lane_share(span.units, invocation);
        let at = segment_at(span.segment);
        let t = tree(sums_of_span(at, span.first + invocation, units), invocation);
        if (invocation == 0u && workgroup < all) {
            emit_sums((p.first_span + span.index) * p.parts_stride + at.record - p.record_offset, t);
        }
    }
}
