// The running statistics of a channel that is one segment, updated by what settles it.

fn emit_running(channel: u32, t: Single) {
    update_running(channel, batch_mean(t), batch_variance(t));
}
