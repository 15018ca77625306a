// The normalizer of a segment whose record was written before.

fn recorded(index: u32) -> Normalizer {
    return normalizer_of(records[index]);
}
