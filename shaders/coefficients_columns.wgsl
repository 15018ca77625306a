fn coefficients_at(index: u32) -> Coefficients {
    let a = coefficients[index];
    let b = coefficients[index + RECORD_STEP];
    let c = coefficients[index + 2u * RECORD_STEP];
    let d = coefficients[index + 3u * RECORD_STEP];
    return Coefficients(
        vec4(a.x, b.x, c.x, d.x),
        vec4(a.y, b.y, c.y, d.y),
        bitcast<vec4<u32>>(vec4(a.z, b.z, c.z, d.z)),
        vec4(a.w, b.w, c.w, d.w),
    );
}
