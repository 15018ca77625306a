// What a small network needs beside normalization. Plain kernels, kept short rather than fast.
//
// Matrices are row-major. An invocation makes one 4x4 block of a product, one column of a sum, one row of a loss, else
// one element; it alone writes it, and adds in the order of the loop, so that the same bits come out at every run.

struct Size {
    rows: u32,
    columns: u32,
    // Of products: the extent that is summed over, and the distances in a and b between neighbours along each axis. A
    // transposed matrix is one with its distances exchanged.
    inner: u32,
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
}

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;

// c[i, j] = sum over k of a[i, k] b[k, j].
// Blocks at the edges compute the last row or column again instead of one beyond it, and do not store it.
@compute @workgroup_size(64) fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    let across = (size.columns + 3u) / 4u;
    let row = id.x / across * 4u;
    let column = id.x % across * 4u;
    if (row >= size.rows) { return; }
    let i = min(row + vec4(0u, 1u, 2u, 3u), vec4(size.rows - 1u)) * size.a_row;
    let j = min(column + vec4(0u, 1u, 2u, 3u), vec4(size.columns - 1u)) * size.b_column;
    // A vector of the matrix is a row of the block.
    var sums = mat4x4<f32>();
    for (var k = 0u; k < size.inner; k++) {
        let ak = i + k * size.a_inner;
        let bk = j + k * size.b_inner;
        let row_of_b = vec4(b[bk.x], b[bk.y], b[bk.z], b[bk.w]);
        sums += mat4x4<f32>(a[ak.x] * row_of_b, a[ak.y] * row_of_b, a[ak.z] * row_of_b, a[ak.w] * row_of_b);
    }
    let columns = min(size.columns - column, 4u);
    if (row + 0u < size.rows) { store((row + 0u) * size.columns + column, columns, sums[0]); }
    if (row + 1u < size.rows) { store((row + 1u) * size.columns + column, columns, sums[1]); }
    if (row + 2u < size.rows) { store((row + 2u) * size.columns + column, columns, sums[2]); }
    if (row + 3u < size.rows) { store((row + 3u) * size.columns + column, columns, sums[3]); }
}

fn store(first: u32, columns: u32, values: vec4<f32>) {
    c[first] = values.x;
    if (columns > 1u) { c[first + 1u] = values.y; }
    if (columns > 2u) { c[first + 2u] = values.z; }
    if (columns > 3u) { c[first + 3u] = values.w; }
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
// with a[i, j] less their largest, so that nothing overflows.
@compute @workgroup_size(64) fn cross_entropy(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= size.rows) { return; }
    let first = id.x * size.columns;
    let label = first + labels[id.x];
    var largest = a[first];
    for (var j = first; j < first + size.columns; j++) { largest = max(largest, a[j]); }
    var sum = 0.0;
    for (var j = first; j < first + size.columns; j++) { sum += exp(a[j] - largest); }
    losses[id.x] = log(sum) - (a[label] - largest);
    for (var j = first; j < first + size.columns; j++) {
        c[j] = (exp(a[j] - largest) / sum - select(0.0, 1.0, j == label)) / f32(size.rows);
    }
}

// c -= b[0] a: a step of gradient descent, of all parameters at once; b[0] is the learning rate.
@compute @workgroup_size(64) fn descend(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < size.rows * size.columns) { c[id.x] -= b[0] * a[id.x]; }
}
