// What units of several elements of one segment share: they sum in four components.

alias Sum = vec4<f32>;
alias Real = f32;
alias Bits = u32;
alias Ints = i32;

fn total(s: Sum) -> Real {
    return (s.x + s.y) + (s.z + s.w);
}

// From the four components that raise.wgsl computes with to the types that a lane sums in.
fn narrow_real(v: vec4<f32>) -> Real {
    return v.x;
}

fn narrow_sum(v: vec4<f32>) -> Sum {
    return v;
}

fn sum_bits(v: Sum) -> vec4<u32> {
    return bitcast<vec4<u32>>(v);
}

fn total_power(q: Sum) -> Real {
    return join_one(join_one(q.x, q.y), join_one(q.z, q.w));
}

fn join_real(a: Real, b: Real) -> Real {
    return join_one(a, b);
}
