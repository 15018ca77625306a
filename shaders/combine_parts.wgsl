// The moments of a segment from its parts: every `step`-th from `first` on, in order, sixteen at a time.
// The parts of segment s are at [span][s * parts_group + j]: spans, and neighbouring columns that belong to one segment.

fn combine_parts(segment: u32, first: u32, step: u32) -> Moments {
    var outer = identity();
    var inner = identity();
    var combined = 0u;
    for (var i = first; i < p.parts; i += step) {
        let span = i / p.parts_group;
        let within = i - span * p.parts_group;
        let t = part(span * p.parts_stride + segment * p.parts_group + within);
        inner = combine(inner, Moments(t.m, t.e, t.m2, t.exponent, t.count));
        combined += 1u;
        if (combined == GROUP) {
            outer = combine(outer, inner);
            inner = identity();
            combined = 0u;
        }
    }
    return combine(outer, inner);
}
