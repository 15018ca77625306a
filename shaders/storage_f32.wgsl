// Units are stored as they are computed with: f32.

alias Stored = Unit;

fn unpack(v: Stored) -> Unit {
    return v;
}

fn pack(v: Unit) -> Stored {
    return v;
}

// An eighth of a unit of sixteen, for lanes that share a load.
alias Part = vec2<f32>;

fn unpack_part(v: Part) -> vec2<f32> {
    return v;
}
