// The normalizer of four neighbouring segments whose records were written before.

fn recorded(index: u32) -> Normalizer {
    return normalizer_from(
        records[index],
        records[index + NORMALIZER_STEP],
        records[index + 2u * NORMALIZER_STEP],
        records[index + 3u * NORMALIZER_STEP],
    );
}
