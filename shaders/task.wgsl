// A segment, or four neighbouring ones, to be normalized; written only if `present`.

struct Task {
    at: Segment,
    n: Normalizer,
    present: bool,
}
