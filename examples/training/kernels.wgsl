// What a small network needs beside normalization. Plain kernels, kept short rather than fast.
//
// Matrices are row-major, of a multiple of four columns. An invocation makes one 4x4 block of a product, one column of a
// sum, one row of a loss, else one element; it alone writes it, and adds in the order of the loop, so that the same bits
// come out at every run.

struct Size {
    rows: u32,
    columns: u32,
    // Of products: the extent that is summed over, and the columns of a and b as they lie in memory. Of losses: the
    // classes, in `inner`.
    inner: u32,
    a_columns: u32,
    b_columns: u32,
}

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;

// The same by fours, for products.
@group(0) @binding(1) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> c4: array<vec4<f32>>;

// Which of the factors is read transposed.
override transpose_a: bool;
override transpose_b: bool;

// c[i, j] = sum over k of a[i, k] b[k, j], where j and k have extents of multiples of four.
//
// The vectors of a mat4x4 hold the rows of a block here, so that the block of a b is that of b times that of a. Where
// the rows end within a block, the last one takes the place of those beyond it, and is not stored again.
@compute @workgroup_size(64) fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    let across = size.columns / 4u;
    let i = id.x / across;
    let j = id.x % across;
    if (i * 4u >= size.rows) { return; }
    var sums = mat4x4<f32>();
    for (var k = 0u; k < size.inner / 4u; k++) { sums += block_of_b(k, j) * block_of_a(i, k); }
    let rows = size.rows - i * 4u;
    let first = i * size.columns + j;
    c4[first] = sums[0];
    if (rows > 1u) { c4[first + across] = sums[1]; }
    if (rows > 2u) { c4[first + 2u * across] = sums[2]; }
    if (rows > 3u) { c4[first + 3u * across] = sums[3]; }
}

fn block_of_a(i: u32, k: u32) -> mat4x4<f32> {
    let fours = size.a_columns / 4u;
    if (transpose_a) {
        let at = k * size.a_columns + i;
        return transpose(mat4x4<f32>(a4[at], a4[at + fours], a4[at + 2u * fours], a4[at + 3u * fours]));
    }
    let rows = min(i * 4u + vec4(0u, 1u, 2u, 3u), vec4(size.rows - 1u));
    let at = rows * fours + k;
    return mat4x4<f32>(a4[at.x], a4[at.y], a4[at.z], a4[at.w]);
}

fn block_of_b(k: u32, j: u32) -> mat4x4<f32> {
    let fours = size.b_columns / 4u;
    let at = select(k * size.b_columns + j, j * size.b_columns + k, transpose_b);
    let block = mat4x4<f32>(b4[at], b4[at + fours], b4[at + 2u * fours], b4[at + 3u * fours]);
    if (transpose_b) { return transpose(block); }
    return block;
}

// c[i, j] += a[j]
@compute @workgroup_size(64) fn add_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < size.rows * size.columns) { c[id.x] += a[id.x % size.columns]; }
}

// c[j] = sum over i of a[i, j]
@compute @workgroup_size(64) fn sum_rows(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= size.columns) { return; }
    var sum = 0.0;
    for (var i = 0u; i < size.rows; i++) { sum += a[i * size.columns + id.x]; }
    c[id.x] = sum;
}

// c = max(c, 0). (max() may drop a NaN, which would hide that a training has diverged.)
@compute @workgroup_size(64) fn rectify(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < size.rows * size.columns) { c[id.x] = select(c[id.x], 0.0, c[id.x] < 0.0); }
}

// c = c where a > 0, else 0: the gradient of rectify, whose output is a.
@compute @workgroup_size(64) fn rectify_backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < size.rows * size.columns) { c[id.x] = select(0.0, c[id.x], a[id.x] > 0.0); }
}

// Softmax cross-entropy of the logits a:
//   losses[i] = log(sum over j of exp(a[i, j])) - a[i, label]
//   c[i, j] = (exp(a[i, j]) / sum - (1 where j is the label)) / rows, the gradient of the mean loss
// over the classes, with a[i, j] less their largest, so that nothing overflows. Columns beyond the classes, which fill
// up the last four, get no gradient: they stay 0.
@compute @workgroup_size(64) fn cross_entropy(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= size.rows) { return; }
    let first = id.x * size.columns;
    let label = first + labels[id.x];
    var largest = a[first];
    for (var j = first; j < first + size.inner; j++) { largest = max(largest, a[j]); }
    var sum = 0.0;
    for (var j = first; j < first + size.inner; j++) { sum += exp(a[j] - largest); }
    losses[id.x] = log(sum) - (a[label] - largest);
    for (var j = first; j < first + size.inner; j++) {
        c[j] = (exp(a[j] - largest) / sum - select(0.0, 1.0, j == label)) / f32(size.rows);
    }
}

// c -= b[0] a: a step of gradient descent, of all parameters at once; b[0] is the learning rate.
@compute @workgroup_size(64) fn descend(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < size.rows * size.columns) { c[id.x] -= b[0] * a[id.x]; }
}
