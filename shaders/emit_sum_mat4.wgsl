// A sum of a unit of sixteen elements, as they lie in registers.

fn emit_sum(at: u32, sum: Unit) {
    sums[at] = sum[0];
    sums[at + 1u] = sum[1];
    sums[at + 2u] = sum[2];
    sums[at + 3u] = sum[3];
}
