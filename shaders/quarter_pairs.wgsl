// What each of four lanes loads of a unit of sixteen, as 64-bit integers: see shared_load.wgsl.

alias Part = vec2<u64>;

// In the order of storage_f32_pairs.wgsl.
fn spread_part(v: Part) -> Unit {
    let part = vec4(halves(v.x), halves(v.y));
    let a = subgroupBroadcast(part, 0u);
    let b = subgroupBroadcast(part, 1u);
    let c = subgroupBroadcast(part, 2u);
    let d = subgroupBroadcast(part, 3u);
    return Unit(
        vec4(a.xz, b.xz),
        vec4(a.yw, b.yw),
        vec4(c.xz, d.xz),
        vec4(c.yw, d.yw),
    );
}
