// Units of sixteen f32 that begin at any element, and single elements after the last of a run: x, y, weight and bias are
// arrays of f32, and indices count elements. Software adapters move element by element, so that a unit costs them as much
// as an aligned one.
// The columns of the matrix hold elements 0, 2, 4, 6, then 1, 3, 5, 7 and so on, in every array alike: the order of
// storage_f32_pairs.wgsl and loose_pairs.wgsl, which sums and element by element arithmetic do not see.

alias Stored = f32;

fn store(c: Cursor, v: Unit) {
    let index = place_in_y(c);
    put_eight(index, v[0], v[1]);
    put_eight(index + 8u, v[2], v[3]);
}

fn put_eight(index: u32, even: vec4<f32>, odd: vec4<f32>) {
    put(index, even.x);
    put(index + 1u, odd.x);
    put(index + 2u, even.y);
    put(index + 3u, odd.y);
    put(index + 4u, even.z);
    put(index + 5u, odd.z);
    put(index + 6u, even.w);
    put(index + 7u, odd.w);
}
