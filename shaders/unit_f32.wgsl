// A unit is one element; an invocation works on one segment.

alias Unit = f32;
alias Sum = f32;
alias Real = f32;
alias Bits = u32;
alias Ints = i32;

fn total(s: Sum) -> Real {
    return s;
}

// The mean of a unit of one element is that element.
fn unit_mean(u: Unit) -> Real {
    return u;
}

fn unit_first(u: Unit) -> Real {
    return u;
}

fn magnitude(u: Unit) -> Bits {
    return bitcast<u32>(u) & ABS;
}

// From the four components that raise.wgsl computes with to the types that a lane sums in.
fn narrow_real(v: vec4<f32>) -> Real {
    return v.x;
}

fn narrow_sum(v: vec4<f32>) -> Sum {
    return v.x;
}

fn sum_bits(v: Sum) -> u32 {
    return bitcast<u32>(v);
}

fn total_power(q: Sum) -> Real {
    return q;
}

fn join_real(a: Real, b: Real) -> Real {
    return join_one(a, b);
}
