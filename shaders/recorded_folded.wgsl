// The normalizer of four neighbouring parts of segments, whose records were written before.

fn record_of_column(i: u32) -> vec4<f32> {
    return records[p.record_offset + i / (FOLD * p.channels) * p.channels + column_of(i)];
}

fn recorded(index: u32) -> Normalizer {
    let i = index - p.record_offset;
    return normalizer_from(
        record_of_column(i),
        record_of_column(i + 1u),
        record_of_column(i + 2u),
        record_of_column(i + 3u),
    );
}
