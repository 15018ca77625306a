// Sums over what partial sums belong to one segment, or to one weight: a walk over those as over the elements of a tensor,
// times the weight where it was not in them. 16 are added one after the other, 16 such groups then, and those.

fn partial_at(c: Cursor) -> Sums {
    let v = sums_read[c.x];
    let w = weight_at(c.weight);
    return Sums(v.x * w, v.y * w, bitcast<u32>(v.z), bitcast<u32>(v.w));
}

fn gather(at: Segment) -> Sums {
    var all = identity();
    var outer = identity();
    var inner = identity();
    if (p.units == 0u) {
        return all;
    }
    var c = cursor_at(at, 0u);
    for (var i = 1u; i <= p.units; i++) {
        inner = combine(inner, partial_at(c));
        if (i % GROUP == 0u) {
            outer = combine(outer, inner);
            inner = identity();
        }
        if (i % (GROUP * GROUP) == 0u) {
            all = combine(all, outer);
            outer = identity();
        }
        c = advance(c, at);
    }
    return combine(all, combine(outer, inner));
}
