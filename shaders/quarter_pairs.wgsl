// What a lane loads of a unit of sixteen, as 64-bit integers: see quarters.wgsl.

alias Part = vec2<u64>;

fn spread_part(v: Part) -> Unit {
    return spread(vec4(halves(v.x), halves(v.y)));
}
