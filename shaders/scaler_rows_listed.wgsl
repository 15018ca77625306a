// Spans are rows of one key: of span s, list[2 s + 1] rows from place list[2 s] of the list on.

@group(0) @binding(4) var<storage, read> list: array<u32>;

fn row_of(span: Span, i: u32) -> u32 {
    return list[span.first + i];
}

fn span_of(index: u32) -> Span {
    var span = numbered_span(index);
    if (span.feature < p.features && span.number < p.spans) {
        span.first = list[2u * span.number];
        span.count = list[2u * span.number + 1u];
    }
    return span;
}
