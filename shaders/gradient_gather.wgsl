// Sums over what partial sums belong to one segment, or to one weight: a walk over those as over the elements of a tensor,
// times the weight where it was not in them. LANES invocations take them in turn and add theirs in a tree; each adds 16 one
// after the other, 16 such groups then, and those. A workgroup has COLUMNS neighbouring segments side by side.

fn partial_at(c: Cursor) -> Sums {
    let v = sums_read[c.x];
    let w = weight_at(c.weight);
    return Sums(v.x * w, v.y * w, bitcast<u32>(v.z), bitcast<u32>(v.w));
}

fn gather(at: Segment, lane: u32) -> Sums {
    var all = identity();
    var outer = identity();
    var inner = identity();
    if (p.units <= lane) {
        return all;
    }
    var c = cursor_at(at, lane);
    let units = lane_share(p.units, lane);
    for (var i = 1u; i <= units; i++) {
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

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let segment = linear_workgroup(group, groups) * COLUMNS + invocation % COLUMNS;
    let lane = invocation / COLUMNS;
    let at = segment_at(min(segment, max(p.segments, 1u) - 1u));
    var t = gather(at, lane);
    if (LANES > 1u) {
        t = tree(t, invocation);
    }
    if (lane == 0u && segment < p.segments) {
        emit_gathered(at, t);
    }
}
