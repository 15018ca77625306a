// What a lane loads of a unit of sixteen: see quarters.wgsl.

alias Part = vec4<f32>;

fn spread_part(v: Part) -> Unit {
    return spread(v);
}
