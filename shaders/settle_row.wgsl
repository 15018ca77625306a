// One segment per invocation: from its moments to its record and its normalizer.

fn settle(t: Moments, index: u32) -> Normalizer {
    let single = Single(t.m, t.e, t.m2, t.exponent, t.count);
    emit_moments(index, single);
    let record = record_of(single);
    emit_record(index, record);
    return normalizer_of(record);
}

fn emit_part(index: u32, t: Moments) {
    emit_moments(index, Single(t.m, t.e, t.m2, t.exponent, t.count));
}
