// Sixteen f32 as eight 64-bit integers: software adapters move element by element, so that half the elements take half the
// time.

struct Sixteen {
    low: vec4<u64>,
    high: vec4<u64>,
}

// The order of a unit's elements is that of storage: the columns of the matrix hold elements 0, 2, 4, 6, then
// 1, 3, 5, 7 and so on in every array alike, which sums and element by element arithmetic do not see.
fn unpack(v: Sixteen) -> Unit {
    return Unit(evens(v.low), odds(v.low), evens(v.high), odds(v.high));
}

fn pack(v: Unit) -> Sixteen {
    return Sixteen(pairs(v[0], v[1]), pairs(v[2], v[3]));
}
