fn coefficients_at(index: u32) -> Coefficients {
    let v = coefficients[index];
    return Coefficients(v.x, v.y, bitcast<u32>(v.z), v.w);
}
