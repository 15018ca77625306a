// Partial statistics: the moments of spans of every segment.
// Span i of segment s is units i * span_units and on. One invocation reads it (LANES = 1: neighbouring invocations take
// neighbouring segments, or each ROWS of them), or a workgroup does, its lanes in turn (see shared_part).
// Reads x once; writes one moments per span at [span][record], records being numbered within the dispatch's segments.
// Barriers: those of shared_part if LANES > 1.
// Chosen when: few long segments, or tiles of columns; see tuning.rs.

fn part_of(at: Segment, first: u32, units: u32) -> Moments {
    return accumulate(at, first, units);
}
