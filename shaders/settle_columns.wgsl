// Four neighbouring segments per invocation: from their moments to their records and their normalizer.

fn component(t: Moments, i: u32) -> Single {
    return Single(t.m[i], t.e[i], t.m2[i], t.exponent[i], t.count);
}

fn settle_one(t: Moments, i: u32, index: u32) -> vec4<f32> {
    let single = component(t, i);
    emit_moments(index + i, single);
    let record = record_of(single);
    emit_record(index + i, record);
    return record;
}

fn settle(t: Moments, index: u32) -> Normalizer {
    return normalizer_from(
        settle_one(t, 0u, index),
        settle_one(t, 1u, index),
        settle_one(t, 2u, index),
        settle_one(t, 3u, index),
    );
}

fn emit_part(index: u32, t: Moments) {
    for (var i = 0u; i < 4u; i++) {
        emit_moments(index + i, component(t, i));
    }
}
