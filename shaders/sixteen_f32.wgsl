// Sixteen f32 as they are.

alias Sixteen = Unit;

// In the order that units which begin anywhere have, whatever they are moved as: see sixteen.wgsl.
fn unpack(v: Sixteen) -> Unit {
    return Unit(
        vec4(v[0].xz, v[1].xz),
        vec4(v[0].yw, v[1].yw),
        vec4(v[2].xz, v[3].xz),
        vec4(v[2].yw, v[3].yw),
    );
}

fn pack(v: Unit) -> Sixteen {
    return Sixteen(
        vec4(v[0].x, v[1].x, v[0].y, v[1].y),
        vec4(v[0].z, v[1].z, v[0].w, v[1].w),
        vec4(v[2].x, v[3].x, v[2].y, v[3].y),
        vec4(v[2].z, v[3].z, v[2].w, v[3].w),
    );
}
