// Four neighbouring segments per invocation: from their moments to their records and their normalizer.

fn component(t: Moments, i: u32) -> Single {
    return Single(t.m[i], t.e[i], t.m2[i], t.exponent[i], t.count);
}

fn settle_one(t: Moments, i: u32, index: u32, writes: bool) -> vec4<f32> {
    let single = component(t, i);
    let record = record_of(single);
    if (writes) {
        emit_moments(index + i * RECORD_STEP, single);
        emit_record(index + i * RECORD_STEP, record);
        emit_running(index + i * RECORD_STEP, single);
    }
    return record;
}

// `writes`: whether this invocation is the one that writes what it settles.
fn settle(t: Moments, index: u32, writes: bool) -> Normalizer {
    return normalizer_from(
        settle_one(t, 0u, index, writes),
        settle_one(t, 1u, index, writes),
        settle_one(t, 2u, index, writes),
        settle_one(t, 3u, index, writes),
    );
}

fn emit_part(index: u32, t: Moments) {
    for (var i = 0u; i < 4u; i++) {
        emit_moments(index + i * RECORD_STEP, component(t, i));
    }
}
