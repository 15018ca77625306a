// dst = src, each invocation loops over WORDS consecutive vec4<f32>.
// Reads each word once, writes each once; no barriers. Part of the sweep: contiguous lanes suit software adapters.

override WORDS: u32;

@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(64)
fn copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = ((group.y * groups.x + group.x) * 64u + lane) * WORDS;
    let last = min(first + WORDS, arrayLength(&dst));
    for (var i = first; i < last; i++) {
        dst[i] = src[i];
    }
}
