// The moments and the record of every segment from its parts.
// One invocation combines them (LANES = 1), or LANES do and merge in a tree. Barriers: log2(LANES) + 1 if LANES > 1.
// Chosen when: after partial.wgsl, unless what writes y combines them itself, and to merge or apply given moments.

fn finish(segment: u32, t: Moments) {
    let single = Single(t.m, t.e, t.m2, t.exponent, t.count);
    let at = segment_at(segment).record;
    emit_moments(at, single);
    emit_record(at, record_of(single));
    emit_running(at, single);
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
            finish(segment, combine_parts(segment, 0u, 1u));
        }
    } else {
        let segment = min(workgroup, p.segments - 1u);
        let t = tree(combine_parts(segment, invocation, LANES), invocation);
        if (invocation == 0u && workgroup < p.segments) {
            finish(segment, t);
        }
    }
}
