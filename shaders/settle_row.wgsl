// One segment per invocation: from its moments to its record and its normalizer.

// `writes`: whether this invocation is the one that writes what it settles.
fn settle(t: Moments, index: u32, writes: bool) -> Normalizer {
    let single = Single(t.m, t.e, t.m2, t.exponent, t.count);
    return settled(single, record_of(single), index, writes);
}

// Of moments whose exponent is 0 and that hold neither NaN nor infinity.
fn settle_ordinary(t: Moments, index: u32, writes: bool) -> Normalizer {
    let single = Single(t.m, t.e, t.m2, t.exponent, t.count);
    return settled(single, ordinary_record_of(single), index, writes);
}

fn settled(single: Single, record: vec4<f32>, index: u32, writes: bool) -> Normalizer {
    if (writes) {
        emit_moments(index, single);
        emit_record(index, record);
        emit_running(index, single);
    }
    return normalizer_of(record);
}

fn emit_part(index: u32, t: Moments) {
    emit_moments(index, Single(t.m, t.e, t.m2, t.exponent, t.count));
}
