// Running statistics of every channel, one invocation per channel:
//   new = (1 - rate) * old + rate * mean over instances of the batch's mean, and of its variance
// The moments of instance i of channel c are at i * segments + c. No barriers.
// Chosen when: the operation updates running statistics.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = linear_workgroup(group, groups) * WORKGROUP + lane;
    if (channel >= p.segments) {
        return;
    }
    var mean = 0.0;
    var variance = 0.0;
    let share = 1.0 / f32(p.instances);
    for (var i = 0u; i < p.instances; i++) {
        let a = parts[2u * (i * p.segments + channel)];
        let exponent = bitcast<i32>(parts[2u * (i * p.segments + channel) + 1u].x);
        if (exponent >= INFINITE) {
            mean = not_a_number();
            variance = not_a_number();
        } else {
            mean += scaled(bitcast<f32>(a.x) + bitcast<f32>(a.y), exponent) * share;
            variance += scaled(scaled(bitcast<f32>(a.z) / f32(p.count), exponent), exponent) * share;
        }
    }
    // Where there is one value, the unbiased variance is 0 / 0.
    let unbiased = select(variance * p.unbias, not_a_number(), p.unbias == 0.0);
    running_mean[channel] = (1.0 - p.rate) * running_mean[channel] + p.rate * mean;
    running_var[channel] = (1.0 - p.rate) * running_var[channel] + p.rate * unbiased;
}
