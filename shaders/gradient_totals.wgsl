// dweight and dbias from the parts of workgroups: those of two neighbouring weights a vec4, see gradient_resident.wgsl.
//   dweight = sum(dy x_hat), dbias = sum(dy), in a fixed order; added to what is there if p.accumulate is 1
// LANES invocations add the parts of a pair in turn, four at once, and their sums in a tree; a workgroup has COLUMNS pairs
// side by side. Reads every part once. Barriers: log2(LANES) + 1. Chosen when: after gradient_resident.wgsl.

alias Partial = vec4<f32>;

fn combine(a: Partial, b: Partial) -> Partial {
    return a + b;
}

fn part_of(pair: u32, part: u32) -> vec4<f32> {
    return sums_read[part * p.segments + pair];
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let own = linear_workgroup(group, groups) * COLUMNS + invocation % COLUMNS;
    let lane = invocation / COLUMNS;
    let pair = min(own, p.segments - 1u);
    var sum = vec4(0.0);
    var part = lane;
    for (; part + 3u * LANES < p.parts; part += 4u * LANES) {
        let first = part_of(pair, part) + part_of(pair, part + LANES);
        sum += first + (part_of(pair, part + 2u * LANES) + part_of(pair, part + 3u * LANES));
    }
    for (; part < p.parts; part += LANES) {
        sum += part_of(pair, part);
    }
    let t = tree(sum, invocation);
    if (lane == 0u && own < p.segments) {
        emit_dbias(2u * pair, t.x);
        emit_dweight(2u * pair, t.y);
        emit_dbias(2u * pair + 1u, t.z);
        emit_dweight(2u * pair + 1u, t.w);
    }
}
