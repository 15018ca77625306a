// For kernels that write spans of segments, which apply_to does.

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
            apply_to(segment_at(spans.segment + row), spans.first, spans.units);
        }
    } else if (index < tiles() * p.spans) {
        let span = tile_at(index);
        let column = invocation % COLUMNS;
        let lane = invocation / COLUMNS;
        if (column < span.rows) {
            apply_to(segment_at(span.segment + column), span.first + lane, lane_share(span.units, lane));
        }
    }
}
