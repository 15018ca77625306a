// dst = src, one vec4<f32> (16 bytes) per invocation.
// Reads each word once, writes each once; no barriers. Part of the sweep for the best copy.

override THREADS: u32;

@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * THREADS + lane;
    if i < arrayLength(&dst) {
        dst[i] = src[i];
    }
}
