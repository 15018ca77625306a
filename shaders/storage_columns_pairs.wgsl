// One element of each of four neighbouring segments, moved as two 64-bit integers: see storage_f32_pairs.wgsl. The
// elements keep their order, because each has its own statistics.

alias Stored = vec2<u64>;

fn unpack(v: Stored) -> Unit {
    return vec4(halves(v.x), halves(v.y));
}

fn pack(v: Unit) -> Stored {
    let bits = vec4<u64>(bitcast<vec4<u32>>(v));
    return bits.xz | (bits.yw << vec2(32u));
}
