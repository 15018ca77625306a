// What each of eight lanes loads of a unit of sixteen: see shared_load.wgsl.

alias Part = vec2<f32>;

fn spread_part(v: Part) -> Unit {
    return spread(v);
}
