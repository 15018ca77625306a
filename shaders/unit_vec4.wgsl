// A unit is four neighbouring elements of one segment.

alias Unit = vec4<f32>;

// Taken about the first element, so that equal elements give exactly their value.
fn unit_mean(u: Unit) -> Real {
    let d = u.yzw - u.x;
    return u.x + ((d.x + d.y) + d.z) * 0.25;
}

fn unit_first(u: Unit) -> Real {
    return u.x;
}

fn magnitude(u: Unit) -> Bits {
    let b = bitcast<vec4<u32>>(u) & vec4(ABS);
    return max(max(b.x, b.y), max(b.z, b.w));
}
