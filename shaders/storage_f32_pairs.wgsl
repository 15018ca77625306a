// Units of sixteen f32, moved as eight 64-bit integers.

alias Stored = Sixteen;
