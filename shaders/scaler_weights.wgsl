// Rows have weights: their bits.

@group(0) @binding(1) var<storage, read> weights: array<u32>;

fn weight_of(row: u32) -> u32 {
    return weights[p.w_offset + row];
}
