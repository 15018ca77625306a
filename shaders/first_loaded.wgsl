// The first unit of a segment, which every lane reads: it is in a cache.

// The mean of the segment's first unit.
fn mean_of_first(at: Segment, scale: f32, place: Place) -> f32 {
    return unit_mean(load(at.x) * scale);
}
