// Batch renormalization (Ioffe 2017), one invocation per channel: from the record of the batch to one that gives
//   x_hat = (x - mean) / deviation * ratio + shift
//   ratio = deviation / running deviation, between 1 / r_max and r_max
//   shift = (mean - running mean) / running deviation, between -d_max and d_max
// with deviation = sqrt(var + eps). Of a record, y = ((x scale - m) r - e r) weight + bias: r is multiplied by ratio, and
// shift is taken into e. Reads and writes a record, and writes ratio and shift for the backward pass. No barriers.
// Chosen when: batch norm renormalizes, after finish.wgsl and before running.wgsl.

fn invocation(index: u32) {
    if (index >= p.segments) {
        return;
    }
    let at = p.record_offset + index;
    let channel = p.first_channel + index;
    let record = records[at];
    let running = 1.0 / sqrt(running_var[channel] + p.eps);
    let mean = opaque((record.x / record.w - running_mean[channel]) + record.y / record.w);
    let ratio = clamp(running / (record.z * record.w), 1.0 / p.renorm_ratio, p.renorm_ratio);
    let shift = clamp(mean * running, -p.renorm_shift, p.renorm_shift);
    let r = record.z * ratio;
    records[at] = vec4(record.x, record.y - shift / r, r, record.w);
    corrections[at] = vec4(ratio, shift, 0.0, 0.0);
}
