// Normalization of short contiguous segments, ROWS consecutive ones per invocation.
//   y = (x - mean) / sqrt(var + eps) * weight + bias
// Each is held in registers (see resident.wgsl): one read and one write, and an invocation's segments follow each
// other in memory, as caches and prefetchers like it. No barriers.
// Chosen when: software adapters, segments of at most a few units; see tuning.rs.

struct Place {
    lane: u32,
}

fn reduce_sum(v: vec2<f32>, place: Place) -> vec2<f32> {
    return v;
}

fn reduce_max(v: u32, place: Place) -> u32 {
    return v;
}

// The mean of the segment's first unit.
fn scaled_first(at: Segment, scale: f32, place: Place) -> f32 {
    return opaque(unit_first(held[0]) * scale);
}

// True if `yes` is, of all segments whose invocations go on together.
fn all_agree(yes: bool, place: Place) -> bool {
    return yes;
}

fn invocation(index: u32) {
    hold_parameters(0u, Place(0u));
    for (var row = 0u; row < ROWS; row++) {
        resident(index * ROWS + row, Place(0u));
    }
}
