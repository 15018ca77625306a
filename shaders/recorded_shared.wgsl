// The normalizer of a segment that four neighbouring weights multiply.

fn recorded(index: u32) -> Normalizer {
    let record = records[index];
    return Normalizer(opaque(vec4(record.x)), vec4(record.z), vec4(-record.y * record.z), vec4(record.w));
}
