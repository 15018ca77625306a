// What a lane loads of a unit of sixteen: see eighths.wgsl.

alias Part = vec2<f32>;

fn spread_part(v: Part) -> Unit {
    return spread(v);
}
