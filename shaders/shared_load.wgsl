// What all lanes of a subgroup want each loads a part of, and broadcasts that: of a unit an eighth (eighths.wgsl) or a quarter
// (quarters.wgsl). Software adapters load element by element and lane by lane, so that eight lanes loading a whole unit cost eight
// times as much.

var<private> subgroup_lane: u32;
