// Real is f32 where a unit lies inside one segment and vec4 where its components belong to four neighbouring
// segments; Bits and Ints are the integers of the same width.

// The value itself, but nothing that a compiler can reassociate through: zero is only known at run time.
fn opaque(v: Real) -> Real {
    return bitcast<Real>(bitcast<Bits>(v) ^ Bits(p.zero));
}

// 2^e for e <= 127, flushed to 0 below the normal range.
fn power_of_two(e: Ints) -> Real {
    let bits = (max(e, Ints(-126)) + Ints(127)) << Bits(23u);
    return select(bitcast<Real>(bits), Real(0.0), e < Ints(-126));
}

// NaN and infinity are made and recognized by their bits: float comparisons with them are unreliable.
const ABS: u32 = 0x7fffffffu;
const INFINITY: u32 = 0x7f800000u;

fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u ^ p.zero);
}

fn infinity() -> f32 {
    return bitcast<f32>(INFINITY ^ p.zero);
}

// Workgroups are laid out in two dimensions where there are too many for one.
fn linear_workgroup(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}
