// Running statistics of a channel:
//   new = (1 - rate) * old + rate * that of the batch, whose variance is m2 / n or m2 / (n - 1)
// where the rate is given, or that of an average over batches that are counted (rate_of_batches.wgsl). Where p.skip_non_finite
// is 1, a channel stays as it is if one of the batch's is not finite.

fn batch_mean(t: Single) -> f32 {
    if (t.exponent >= INFINITE) {
        return not_a_number();
    }
    return scaled(t.m + t.e, t.exponent);
}

fn batch_variance(t: Single) -> f32 {
    // The unbiased variance of a single value is 0 / 0.
    if (t.exponent >= INFINITE || t.count <= p.unbiased) {
        return not_a_number();
    }
    return scaled(scaled(t.m2 / f32(t.count - p.unbiased), t.exponent), t.exponent);
}

fn update_running(channel: u32, mean: f32, variance: f32) {
    let worst = max(bitcast<u32>(mean) & ABS, bitcast<u32>(variance) & ABS);
    if (p.skip_non_finite == 1u && worst >= INFINITY) {
        return;
    }
    let rate = next_rate(channel);
    running_mean[channel] = (1.0 - rate) * running_mean[channel] + rate * mean;
    running_var[channel] = (1.0 - rate) * running_var[channel] + rate * variance;
}
