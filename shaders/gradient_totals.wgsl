// dweight and dbias from the parts of workgroups: of every unit dbias, then dweight, in UNIT_VECTORS vec4 each, as they lie in
// registers (see resident_sums.wgsl).
//   dweight = sum(dy x_hat), dbias = sum(dy), in a fixed order; added to what is there if p.accumulate is 1
// LANES invocations add the parts of a vec4 in turn, four at once, and their sums in a tree; a workgroup has COLUMNS of them
// side by side. Reads every part once. Barriers: log2(LANES) + 1 if LANES > 1. Chosen when: after gradient_resident.wgsl.

alias Partial = vec4<f32>;

fn combine(a: Partial, b: Partial) -> Partial {
    return a + b;
}

fn part_of(vector: u32, part: u32) -> vec4<f32> {
    return sums_read[part * p.segments + vector];
}

// The element of its unit that a component of a vec4 is: those of 64-bit integers are in another order, see
// storage_f32_pairs.wgsl.
fn element_of(vector: u32, component: u32) -> u32 {
    if (PAIRS) {
        return vector / 2u * 8u + component * 2u + vector % 2u;
    }
    return vector * 4u + component;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let own = linear_workgroup(group, groups) * COLUMNS + invocation % COLUMNS;
    let lane = invocation / COLUMNS;
    let vector = min(own, p.segments - 1u);
    var sum = vec4(0.0);
    var part = lane;
    for (; part + 3u * LANES < p.parts; part += 4u * LANES) {
        let first = part_of(vector, part) + part_of(vector, part + LANES);
        sum += first + (part_of(vector, part + 2u * LANES) + part_of(vector, part + 3u * LANES));
    }
    for (; part < p.parts; part += LANES) {
        sum += part_of(vector, part);
    }
    var t = sum;
    if (LANES > 1u) {
        t = tree(sum, invocation);
    }
    if (lane == 0u && own < p.segments) {
        let unit = own / (2u * UNIT_VECTORS);
        let within = own % UNIT_VECTORS;
        for (var i = 0u; i < 4u; i++) {
            let index = unit * 4u * UNIT_VECTORS + element_of(within, i);
            if (own % (2u * UNIT_VECTORS) < UNIT_VECTORS) {
                emit_dbias(index, t[i]);
            } else {
                emit_dweight(index, t[i]);
            }
        }
    }
}
