// A unit is one element of each of four neighbouring segments: the components never mix.

alias Unit = vec4<f32>;
alias Sum = vec4<f32>;
alias Real = vec4<f32>;
alias Bits = vec4<u32>;
alias Ints = vec4<i32>;

fn total(s: Sum) -> Real {
    return s;
}

// Each segment has one element here, which is its mean.
fn unit_mean(u: Unit) -> Real {
    return u;
}

fn unit_first(u: Unit) -> Real {
    return u;
}

fn magnitude(u: Unit) -> Bits {
    return bitcast<vec4<u32>>(u) & vec4(ABS);
}

// From the four components that raise.wgsl computes with to the types that a lane sums in.
fn narrow_real(v: vec4<f32>) -> Real {
    return v;
}

fn narrow_sum(v: vec4<f32>) -> Sum {
    return v;
}

fn sum_bits(v: Sum) -> vec4<u32> {
    return bitcast<vec4<u32>>(v);
}

fn total_power(q: Sum) -> Real {
    return q;
}

fn join_real(a: Real, b: Real) -> Real {
    return join(a, b);
}
