// What one dispatch is told at run time. The same struct as `Params` in src/shader/params.rs; a test compares the two.
// What most kernels need first is in the first 64 bytes, which a GPU's cache of constants takes in at once.
// Offsets and strides in x, y, weight and bias count units where the parameter varies along a unit, else elements.

struct Digit {
    extent: u32,
    x: u32,
    y: u32,
    weight: u32,
    record: u32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
}

struct Params {
    segments: u32,             // segments, or groups of neighbouring segments where a unit spans several
    units: u32,                // units of a segment
    run_units: u32,            // contiguous units of a run
    x_offset: u32,
    weight_offset: u32,
    record_offset: u32,        // records and moments of the caller's before the first of this dispatch
    bias_shift: u32,           // index in bias minus index in weight, modulo 2^32
    count: u32,                // values of a segment of x
    eps: f32,
    ddof: u32,                 // taken from the count in the variance
    min_exponent: i32,         // records are not scaled below this: eps dominates there
    zero: u32,                 // always 0: see opaque()
    spans: u32,                // spans that a segment is cut into
    span_units: u32,
    first_span: u32,           // spans of the same segments in earlier dispatches
    parts_stride: u32,         // partial segments: the distance between the parts of two spans
    digits: array<Digit, 9>,   // KEPT kept ones, then REDUCED reduced ones without the run itself; innermost first
    step_x: u32,               // from one unit of a run to the next
    step_y: u32,
    step_weight: u32,
    y_offset: u32,
    y_shift: u32,              // index in y minus index in x, modulo 2^32, where their strides are the same
    tail: u32,                 // elements after the units of every run that fill no unit
    parts: u32,                // partial moments of a segment
    parts_group: u32,          // neighbouring partial segments that belong to one segment
    instances: u32,            // segments averaged into one channel
    rate: f32,                 // weight of the new batch in the running statistics
    unbiased: u32,             // 1: the running variance takes count - 1
    skip_non_finite: u32,      // 1: running statistics stay where those of the batch are not finite
    renorm_ratio: f32,         // bounds of batch renormalization: r_max and d_max
    renorm_shift: f32,
    power_high: f32,           // the power that raise.wgsl raises to, as a sum; twelve bits, and the rest
    power_low: f32,
    root_high: f32,            // likewise its reciprocal
    root_low: f32,
    window_left: u32,          // neighbours before and after a channel
    window_right: u32,
    window_step: u32,          // from one channel to the next, in x
    window_scale: f32,
    window_k: f32,
    negative_base: i32,        // sign of a negative number raised to the power: 1, -1, or 0 for NaN
    first_channel: u32,        // channels before the first of this dispatch
    channels: u32,             // of the tensor, or of each folded row
    dx_shift: u32,             // index in dx minus index in x, modulo 2^32
    dweight_offset: u32,
    dbias_offset: u32,
    accumulate: u32,           // 1: gradients of weight and bias are added to what is there
}

@group(0) @binding(0) var<uniform> p: Params;
