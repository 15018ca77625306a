// Units of sixteen f32, moved as eight 64-bit integers.

alias Stored = Sixteen;

// An eighth of a unit, for lanes that share a load.
alias Part = u64;

fn unpack_part(v: Part) -> vec2<f32> {
    return halves(v);
}
