// For kernels that sum spans of segments: part_of makes a part of one, and emit_part writes it.

// Records are numbered within the segments of the dispatch. A span of folded rows is one of each of them.
fn part_index(span: u32, at: Segment) -> u32 {
    return (p.first_span + span * FOLD) * p.parts_stride + at.record - p.record_offset;
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
            emit_part(part_index(spans.index, at), part_of(at, spans.first, spans.units));
        }
    } else {
        let all = tiles() * p.spans;
        let span = tile_at(min(workgroup, all - 1u));
        let column = invocation % COLUMNS;
        let lane = invocation / COLUMNS;
        let at = segment_at(min(span.segment + column, p.segments - 1u));
        let t = shared_part(at, span, lane, invocation);
        if (lane == 0u && column < span.rows && workgroup < all) {
            emit_part(part_index(span.index, at), t);
        }
    }
}
