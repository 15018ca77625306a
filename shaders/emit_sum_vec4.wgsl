// A sum of a unit of four elements.

fn emit_sum(at: u32, sum: Unit) {
    sums[at] = sum;
}
