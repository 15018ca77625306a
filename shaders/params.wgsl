// What one dispatch is told at run time. The same struct as `Params` in src/shader.rs; a test compares the two.
// Offsets and strides in x, y, weight and bias count units where the parameter varies along a unit, else elements.

struct Digit {
    extent: u32,
    x: u32,
    weight: u32,
    record: u32,
}

struct Params {
    kept: array<Digit, 4>,     // innermost first
    reduced: array<Digit, 4>,  // innermost first, without the run itself
    segments: u32,             // segments, or groups of neighbouring segments where a unit spans several
    units: u32,                // units of a segment
    run_units: u32,            // contiguous units of a run
    step_x: u32,               // from one unit to the next, where a segment is one run
    step_weight: u32,
    x_offset: u32,
    y_shift: u32,              // index in y minus index in x, modulo 2^32
    weight_offset: u32,
    bias_shift: u32,           // index in bias minus index in weight, modulo 2^32
    spans: u32,                // spans that a segment is cut into
    span_units: u32,
    parts: u32,                // partial moments of a segment
    parts_group: u32,          // neighbouring partial segments that belong to one segment
    parts_stride: u32,         // partial segments: the distance between the parts of two spans
    count: u32,                // values of a segment of x
    instances: u32,            // segments averaged into one channel
    ddof: u32,                 // taken from the count in the variance
    eps: f32,
    min_exponent: i32,         // records are not scaled below this: eps dominates there
    rate: f32,                 // weight of the new batch in the running statistics
    unbiased: u32,             // 1: the running variance takes count - 1
    zero: u32,                 // always 0: see opaque()
    padding_0: u32,
    padding_1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
