// Elements come from a tensor of their own.

@group(0) @binding(3) var<storage, read> x: array<u32>;

fn load(place: u32) -> u32 {
    return x[place];
}
