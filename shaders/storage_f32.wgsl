// Units are stored as they are computed with: f32.

alias Stored = Unit;

fn unpack(v: Stored) -> Unit {
    return v;
}

fn pack(v: Unit) -> Stored {
    return v;
}
