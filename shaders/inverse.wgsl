// Records that take y to x_hat = (y - bias) / weight, one invocation per weight: m = bias, r = 1 / weight.
// No barriers. Chosen when: sums over what each weight multiplies are taken of y.

fn invocation(index: u32) {
    if (index < p.segments) {
        let at = index + p.weight_offset;
        records[index] = vec4(bias_one(at, 0u), 0.0, 1.0 / weight_one(at, 0u), 1.0);
    }
}
