// The moments and the record of every segment from its parts.
// The parts of segment s are at [span][s * parts_group + j]: spans, and neighbouring columns that belong to one
// segment. One invocation combines them in order, sixteen at a time (LANES = 1), or LANES do and merge in a tree.
// Barriers: log2(LANES) + 1 if LANES > 1. Chosen when: after partial.wgsl, and to merge or apply given moments.

fn part(index: u32) -> Moments {
    let a = parts[2u * index];
    let exponent = bitcast<i32>(parts[2u * index + 1u].x);
    return Moments(bitcast<f32>(a.x), bitcast<f32>(a.y), bitcast<f32>(a.z), exponent, a.w);
}

fn combine_parts(segment: u32, start: u32) -> Moments {
    var outer = identity();
    var inner = identity();
    var combined = 0u;
    for (var i = start; i < p.parts; i += LANES) {
        let span = i / p.parts_group;
        let within = i - span * p.parts_group;
        inner = combine(inner, part(span * p.parts_stride + segment * p.parts_group + within));
        combined += 1u;
        if (combined == GROUP) {
            outer = combine(outer, inner);
            inner = identity();
            combined = 0u;
        }
    }
    return combine(outer, inner);
}

fn finish(segment: u32, t: Moments) {
    let single = Single(t.m, t.e, t.m2, t.exponent, t.count);
    let at = segment_at(segment).record;
    emit_moments(at, single);
    emit_record(at, record_of(single));
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let workgroup = linear_workgroup(group, groups);
    if (LANES == 1u) {
        let segment = workgroup * WORKGROUP + invocation;
        if (segment < p.segments) {
            finish(segment, combine_parts(segment, 0u));
        }
    } else {
        let segment = min(workgroup, p.segments - 1u);
        let t = tree(combine_parts(segment, invocation), invocation);
        if (invocation == 0u && workgroup < p.segments) {
            finish(segment, t);
        }
    }
}
