// All rows weigh 1.

fn weight_of(row: u32) -> u32 {
    return 0x3f800000u;
}
