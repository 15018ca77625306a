// A unit of which each of eight lanes has loaded an eighth.

fn spread(part: vec2<f32>) -> Unit {
    let a = subgroupBroadcast(part, 0u);
    let b = subgroupBroadcast(part, 1u);
    let c = subgroupBroadcast(part, 2u);
    let d = subgroupBroadcast(part, 3u);
    let e = subgroupBroadcast(part, 4u);
    let f = subgroupBroadcast(part, 5u);
    let g = subgroupBroadcast(part, 6u);
    let h = subgroupBroadcast(part, 7u);
    if (PAIRS) {
        // The order of storage_f32_pairs.wgsl.
        return Unit(
            vec4(a.x, b.x, c.x, d.x),
            vec4(a.y, b.y, c.y, d.y),
            vec4(e.x, f.x, g.x, h.x),
            vec4(e.y, f.y, g.y, h.y),
        );
    }
    return Unit(vec4(a, b), vec4(c, d), vec4(e, f), vec4(g, h));
}
