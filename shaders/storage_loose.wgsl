// Units of sixteen f32 that begin at any element, and single elements after the last of a run: x, y, weight and bias are
// arrays of f32, and indices count elements. Software adapters move element by element, so that a unit costs them as much
// as an aligned one.
// The columns of the matrix hold elements 0, 2, 4, 6, then 1, 3, 5, 7 and so on, in every array alike: the order of
// storage_f32_pairs.wgsl and loose_pairs.wgsl, which sums and element by element arithmetic do not see.

alias Stored = f32;
