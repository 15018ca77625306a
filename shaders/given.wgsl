// Records of given running statistics, one invocation per channel:
//   m = running_mean,  r = 1 / sqrt(running_var + eps)
// No barriers. Chosen when: the operation uses running statistics.

fn invocation(channel: u32) {
    if (channel < p.segments) {
        let variance = running_var[channel] + p.eps;
        let negative = (bitcast<u32>(variance) & ~ABS) != 0u;
        let r = select(1.0 / sqrt(abs(variance)), not_a_number(), negative);
        records[channel] = vec4(running_mean[channel], 0.0, r, 1.0);
    }
}
