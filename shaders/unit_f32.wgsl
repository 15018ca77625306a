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

fn magnitude(u: Unit) -> Bits {
    return bitcast<u32>(u) & ABS;
}
