// The map of a scaler, and back, element by element.
// An invocation takes elements of [outer, feature, inner] at equal steps and knows their indices by carrying, without a
// division. No barriers. Chosen when: data are transformed, and back, but for unit norms.

@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = invocation_index(group, groups, local);
    let elements = p.rows * p.features;
    if (index >= p.spans || index * p.span_first >= elements) {
        return;
    }
    let first = index * p.span_first;
    let all = (elements - first + p.span_step - 1u) / p.span_step;
    let count = min(all, select(all, p.span_first, p.span_step == 1u));
    var inner = first % p.inner;
    var feature = first / p.inner % p.features;
    var outer = first / p.inner / p.features;
    for (var i = 0u; i < count; i++) {
        let from_x = p.x_offset + outer * p.x_outer + feature * p.x_feature + inner * p.x_inner;
        let to_y = p.y_offset + outer * p.y_outer + feature * p.y_feature + inner * p.y_inner;
        y[to_y] = mapped(load(from_x), parameters_of(feature, outer * p.inner + inner));
        inner += p.step_inner;
        feature += p.step_feature;
        outer += p.step_outer;
        if (inner >= p.inner) {
            inner -= p.inner;
            feature++;
        }
        if (feature >= p.features) {
            feature -= p.features;
            outer++;
        }
    }
}
