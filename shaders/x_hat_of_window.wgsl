// x_hat of an element of local response normalization, whose channel stands in the place of a record:
//   x_hat = x (k + window_scale * sum(x[i]^2 over its window))^-beta

fn x_hat_at(u: Unit, c: Cursor, weight: Unit, n: Normalizer) -> Unit {
    let power = Power(p.power_high, p.power_low, p.negative_base);
    return narrow_real(response(vec4<f32>(u), window_at(c.x, c.weight), power, vec4(0)));
}

fn recorded(channel: u32) -> Normalizer {
    return Normalizer();
}
