// What each of eight lanes loads of a unit of sixteen, as a 64-bit integer: see shared_load.wgsl.

alias Part = u64;

fn spread_part(v: Part) -> Unit {
    return spread(halves(v));
}
