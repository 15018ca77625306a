// Spans are rows at equal steps.

// A row of a span.
fn row_of(span: Span, i: u32) -> u32 {
    return span.first + i * p.span_step;
}

fn span_of(index: u32) -> Span {
    var span = numbered_span(index);
    span.first = span.number * p.span_first;
    if (span.feature < p.features && span.number < p.spans && span.first < p.rows) {
        let rows = (p.rows - span.first + p.span_step - 1u) / p.span_step;
        span.count = min(rows, select(rows, p.span_first, p.span_step == 1u));
    }
    return span;
}
