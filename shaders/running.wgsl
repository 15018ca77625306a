// Running statistics of every channel, one invocation per channel:
//   new = (1 - rate) * old + rate * mean over instances of the batch's mean, and of its variance, m2 / n or m2 / (n - 1)
// where the rate is given, or that of an average over batches that are counted (rate_of_batches.wgsl). Where p.skip_non_finite
// is 1, a channel stays as it is if one of these is not finite.
// The moments of instance i of channel c are at i * segments + c. Sums are compensated (Kahan 1965), since there may be
// thousands of instances. No barriers.
// Chosen when: the operation updates running statistics.

struct Sums {
    value: f32,
    rest: f32,  // what the roundings so far added too much
}

fn plus(a: Sums, v: f32) -> Sums {
    let term = v - a.rest;
    let value = opaque(a.value + term);
    // Nothing is left of what overflows.
    let finite = (bitcast<u32>(value) & ABS) < INFINITY;
    return Sums(value, select(0.0, opaque(value - a.value) - term, finite));
}

fn invocation(channel: u32) {
    if (channel >= p.segments) {
        return;
    }
    var mean = Sums(0.0, 0.0);
    var variance = Sums(0.0, 0.0);
    let share = 1.0 / f32(p.instances);
    for (var i = 0u; i < p.instances; i++) {
        let a = parts[2u * (i * p.segments + channel)];
        let exponent = bitcast<i32>(parts[2u * (i * p.segments + channel) + 1u].x);
        // The unbiased variance of a single value is 0 / 0.
        if (exponent >= INFINITE || a.w <= p.unbiased) {
            variance = Sums(not_a_number(), 0.0);
        } else {
            let v = bitcast<f32>(a.z) / f32(a.w - p.unbiased);
            variance = plus(variance, scaled(scaled(v, exponent), exponent) * share);
        }
        if (exponent >= INFINITE) {
            mean = Sums(not_a_number(), 0.0);
        } else {
            mean = plus(mean, scaled(bitcast<f32>(a.x) + bitcast<f32>(a.y), exponent) * share);
        }
    }
    let worst = max(bitcast<u32>(mean.value) & ABS, bitcast<u32>(variance.value) & ABS);
    if (p.skip_non_finite == 1u && worst >= INFINITY) {
        return;
    }
    let rate = next_rate(channel);
    running_mean[channel] = (1.0 - rate) * running_mean[channel] + rate * mean.value;
    running_var[channel] = (1.0 - rate) * running_var[channel] + rate * variance.value;
}
