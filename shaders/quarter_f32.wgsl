// What each of four lanes loads of a unit of sixteen: see shared_load.wgsl.

alias Part = vec4<f32>;

fn spread_part(v: Part) -> Unit {
    return Unit(
        subgroupBroadcast(v, 0u),
        subgroupBroadcast(v, 1u),
        subgroupBroadcast(v, 2u),
        subgroupBroadcast(v, 3u),
    );
}
