// The normalizer of four neighbouring segments whose records were written before.

fn recorded(index: u32) -> Normalizer {
    return normalizer_from(
        records[index],
        records[index + RECORD_STEP],
        records[index + 2u * RECORD_STEP],
        records[index + 3u * RECORD_STEP],
    );
}
