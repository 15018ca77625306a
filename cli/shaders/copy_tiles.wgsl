// dst = src, several vec4<f32> per invocation, a workgroup apart, all read before any is written.
// Reads each word once, writes each once; no barriers. Part of the sweep: more reads in flight suit GPUs with much memory
// bandwidth. Written out, since a loop has its bounds checked.

const THREADS = 256u;

@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

struct Place {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

fn first(place: Place, each: u32) -> u32 {
    return (place.group.y * place.groups.x + place.group.x) * THREADS * each;
}

// Of the last workgroup, whose tile ends beyond the tensor: from element i on, every THREADSth.
fn rest(i: u32) {
    for (var j = i; j < arrayLength(&dst); j += THREADS) {
        dst[j] = src[j];
    }
}

@compute @workgroup_size(256)
fn copy2(place: Place) {
    let start = first(place, 2u);
    let i = start + place.lane;
    if start + 2u * THREADS > arrayLength(&dst) {
        rest(i);
        return;
    }
    let a = src[i];
    let b = src[i + THREADS];
    dst[i] = a;
    dst[i + THREADS] = b;
}

@compute @workgroup_size(256)
fn copy4(place: Place) {
    let start = first(place, 4u);
    let i = start + place.lane;
    if start + 4u * THREADS > arrayLength(&dst) {
        rest(i);
        return;
    }
    let a = src[i];
    let b = src[i + THREADS];
    let c = src[i + 2u * THREADS];
    let d = src[i + 3u * THREADS];
    dst[i] = a;
    dst[i + THREADS] = b;
    dst[i + 2u * THREADS] = c;
    dst[i + 3u * THREADS] = d;
}

@compute @workgroup_size(256)
fn copy8(place: Place) {
    let start = first(place, 8u);
    let i = start + place.lane;
    if start + 8u * THREADS > arrayLength(&dst) {
        rest(i);
        return;
    }
    let a = src[i];
    let b = src[i + THREADS];
    let c = src[i + 2u * THREADS];
    let d = src[i + 3u * THREADS];
    let e = src[i + 4u * THREADS];
    let f = src[i + 5u * THREADS];
    let g = src[i + 6u * THREADS];
    let h = src[i + 7u * THREADS];
    dst[i] = a;
    dst[i + THREADS] = b;
    dst[i + 2u * THREADS] = c;
    dst[i + 3u * THREADS] = d;
    dst[i + 4u * THREADS] = e;
    dst[i + 5u * THREADS] = f;
    dst[i + 6u * THREADS] = g;
    dst[i + 7u * THREADS] = h;
}
