// What a lane loads of a unit of sixteen, as 64-bit integers: see eighths.wgsl.

alias Part = u64;

fn spread_part(v: Part) -> Unit {
    return spread(halves(v));
}
