// The weight of a new batch in the running statistics: that of all batches before it, which every channel counts.

fn next_rate(channel: u32) -> f32 {
    let number = batches[channel] + 1u;
    batches[channel] = number;
    return 1.0 / f32(number);
}
