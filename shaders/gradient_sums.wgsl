// Partial sums for the gradients: those of spans of every segment (see gradient_accumulate.wgsl).
// Span i of segment s is units i * span_units and on. One invocation reads it (LANES = 1: neighbouring invocations take
// neighbouring segments, or each ROWS of them), or a workgroup does, its lanes in turn, and merges in a tree.
// A segment is one of the normalization, or all that one weight multiplies (BY_WEIGHT).
// Reads x and dy once, of windows (x_hat_of_window.wgsl) every neighbour in x too; writes one vec4 per span and segment at
// [span][segment]. Barriers: log2(LANES) + 1 if LANES > 1.
// Chosen when: dx in three dispatches, and always for dweight and dbias.

fn part_of(at: Segment, first: u32, units: u32) -> Sums {
    var n: Normalizer;
    if (!BY_WEIGHT) {
        n = recorded(at.record);
    }
    return accumulate(at, n, first, units);
}
