// Elements are u8, four to a word, of a tensor of their own: the bits of their values as f32.

@group(0) @binding(3) var<storage, read> x: array<u32>;

fn load(place: u32) -> u32 {
    return bitcast<u32>(f32((x[place >> 2u] >> ((place & 3u) * 8u)) & 0xffu));
}
