// A unit is sixteen neighbouring elements of one segment: the widest load there is, for software adapters.

alias Unit = mat4x4<f32>;

fn splat(v: f32) -> Unit {
    return Unit(vec4(v), vec4(v), vec4(v), vec4(v));
}

// Taken about the first element, so that equal elements give exactly their value.
fn unit_mean(u: Unit) -> Real {
    let k = u[0].x;
    return k + total(((u[0] - k) + (u[1] - k)) + ((u[2] - k) + (u[3] - k))) * 0.0625;
}

fn absorb(u: Unit, k: Real, s: ptr<function, Sum>, q: ptr<function, Sum>) {
    let a = u[0] - k;
    let b = u[1] - k;
    let c = u[2] - k;
    let d = u[3] - k;
    *s += (a + b) + (c + d);
    *q = join(*q, join(join(power(a), power(b)), join(power(c), power(d))));
}

fn unit_first(u: Unit) -> Real {
    return u[0].x;
}

fn magnitude(u: Unit) -> Bits {
    let a = max(bitcast<vec4<u32>>(u[0]) & vec4(ABS), bitcast<vec4<u32>>(u[1]) & vec4(ABS));
    let c = max(bitcast<vec4<u32>>(u[2]) & vec4(ABS), bitcast<vec4<u32>>(u[3]) & vec4(ABS));
    let b = max(a, c);
    return max(max(b.x, b.y), max(b.z, b.w));
}

fn center_and_scale(u: Unit, n: Normalizer) -> Unit {
    return Unit(
        (u[0] * n.scale - n.m) * n.r + n.c,
        (u[1] * n.scale - n.m) * n.r + n.c,
        (u[2] * n.scale - n.m) * n.r + n.c,
        (u[3] * n.scale - n.m) * n.r + n.c,
    );
}

fn affine(u: Unit, weight: Unit, bias: Unit) -> Unit {
    return Unit(
        u[0] * weight[0] + bias[0],
        u[1] * weight[1] + bias[1],
        u[2] * weight[2] + bias[2],
        u[3] * weight[3] + bias[3],
    );
}
