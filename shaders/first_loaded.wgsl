// The first unit of a segment, which every lane reads: it is in a cache.

fn scaled_first(at: Segment, scale: f32, place: Place) -> f32 {
    return opaque(unit_first(load(at.x)) * scale);
}
