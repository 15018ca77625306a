// Running statistics of every channel, one invocation per channel, from the averages over its instances (running_update.wgsl).
// The moments of instance i of channel c are at i * segments + c. Sums are compensated (Kahan 1965), since there may be
// thousands of instances. No barriers.
// Chosen when: the operation updates running statistics, unless each channel is one segment: what settles it updates them then.

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
        let instance = part(i * p.segments + channel);
        mean = plus(mean, batch_mean(instance) * share);
        variance = plus(variance, batch_variance(instance) * share);
    }
    update_running(channel, mean.value, variance.value);
}
