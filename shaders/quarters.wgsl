// A unit of which each of four lanes has loaded a quarter.

fn spread(part: vec4<f32>) -> Unit {
    let a = subgroupBroadcast(part, 0u);
    let b = subgroupBroadcast(part, 1u);
    let c = subgroupBroadcast(part, 2u);
    let d = subgroupBroadcast(part, 3u);
    if (PAIRS) {
        // The order of storage_f32_pairs.wgsl.
        return Unit(
            vec4(a.xz, b.xz),
            vec4(a.yw, b.yw),
            vec4(c.xz, d.xz),
            vec4(c.yw, d.yw),
        );
    }
    return Unit(a, b, c, d);
}
