// The part of a workgroup: what its lanes have, merged in a tree. Barriers: log2(LANES) + 1.

fn shared_part(at: Segment, span: Span, lane: u32, invocation: u32) -> Partial {
    return tree(part_of(at, span.first + lane, lane_share(span.units, lane)), invocation);
}
