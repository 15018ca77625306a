// The first unit of a segment, which the first lane of a subgroup holds.

fn scaled_first(at: Segment, scale: f32, place: Place) -> f32 {
    return opaque(subgroupBroadcast(unit_first(held[0]) * scale, 0u));
}
