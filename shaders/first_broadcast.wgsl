// The first unit of a segment, which the first lane of a subgroup holds.

// The mean of the segment's first unit.
fn mean_of_first(at: Segment, scale: f32, place: Place) -> f32 {
    return subgroupBroadcast(unit_mean(held[0] * scale), 0u);
}
