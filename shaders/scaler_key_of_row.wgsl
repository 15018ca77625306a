// Rows have parameters by key: the numbers of their keys.

@group(0) @binding(4) var<storage, read> keys: array<u32>;

fn parameters_of(feature: u32, row: u32) -> u32 {
    return keys[row] * p.features + feature;
}
