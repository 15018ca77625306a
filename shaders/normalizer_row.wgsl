// The normalizer of one segment.

fn normalizer_of(record: vec4<f32>) -> Normalizer {
    return Normalizer(opaque(record.x), record.z, -record.y * record.z, record.w);
}
