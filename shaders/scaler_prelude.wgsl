// What the kernels of scalers share: parameters, keys, and where elements lie. They are composed apart from those of the
// normalizations: constants of a header, this file, and one kernel.

// The same struct as `Params` in src/scaler/device/shader.rs.
struct Params {
    rows: u32,
    features: u32,
    inner: u32,            // inner extent of rows: row = outer * inner + index
    x_offset: u32,         // elements before the first, in the binding
    x_outer: u32,          // distances in x
    x_feature: u32,
    x_inner: u32,
    y_offset: u32,
    y_outer: u32,
    y_feature: u32,
    y_inner: u32,
    spans: u32,            // spans that the rows of a feature are cut into, or invocations that share all elements
    span_first: u32,       // rows (or elements) from the first of one span to the first of the next
    span_step: u32,        // and from one of a span to the next
    step_outer: u32,       // the same step, in digits
    step_feature: u32,
    step_inner: u32,
    shift: u32,            // of the digit of keys that is counted
    mask: u32,
    prefix_shift: u32,     // of the digits above it
    prefixes: u32,         // words of the table before the prefixes, and before their ends
    ends: u32,
    norm: u32,             // 1, 2, or 0 for the largest magnitude
    bounded: u32,          // y is held between low and high
    low: f32,
    high: f32,
    zero: u32,             // always 0: see opaque()
    counters: u32,         // counters of the pass; one more is nobody's
    w_offset: u32,         // weights of rows before the first, in the binding
    // Edges of a histogram, references of a quantile transform. (GL rounds the size of a uniform up to 16 bytes.)
    @size(12) edges: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

const ABS: u32 = 0x7fffffffu;
const INFINITY: u32 = 0x7f800000u;
const SIGN: u32 = 0x80000000u;
// What has no logarithm, or what no value becomes: a NaN of its own, of which only the bits are looked at.
const NO_VALUE: u32 = 0x7fc00001u;

// The value itself, but nothing that a compiler can reassociate through: zero is only known at run time.
fn opaque(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ p.zero);
}

// 2^e for e from -126 to 127.
fn power_of_two(e: i32) -> f32 {
    return bitcast<f32>(u32(e + 127) << 23u);
}

fn is_missing(bits: u32) -> bool {
    return (bits & ABS) > INFINITY;
}

// An integer in the order of the values; -0 is 0, and NaN above all.
fn key_of(bits: u32) -> u32 {
    let folded = select(bits, 0u, bits == SIGN);
    let key = folded ^ select(SIGN, 0xffffffffu, (folded & SIGN) != 0u);
    return select(key, 0xffffffffu, is_missing(bits));
}

fn bits_of_key(key: u32) -> u32 {
    return select(key ^ SIGN, ~key, (key & SIGN) == 0u);
}

// Workgroups are laid out in two dimensions where there are too many for one.
fn invocation_index(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.x + group.y * groups.x) * WORKGROUP + local;
}

// The rows of one feature that an invocation takes: `count` of them. Of too many invocations, those beyond take none.
struct Span {
    feature: u32,
    number: u32,
    first: u32,
    count: u32,
}

fn numbered_span(index: u32) -> Span {
    var span: Span;
    if (FEATURES_INNERMOST) {
        span.feature = index % p.features;
        span.number = index / p.features;
    } else {
        span.feature = index / p.spans;
        span.number = index % p.spans;
    }
    return span;
}

// Where a row of a feature lies in x.
fn place_of(feature: u32, row: u32) -> u32 {
    let base = p.x_offset + feature * p.x_feature;
    if (ONE_ROW_DIGIT) {
        return base + row * p.x_inner;
    }
    return base + row / p.inner * p.x_outer + row % p.inner * p.x_inner;
}
