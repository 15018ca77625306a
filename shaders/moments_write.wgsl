fn emit_moments(index: u32, t: Single) {
    moments[2u * index] = vec4(bitcast<u32>(t.m), bitcast<u32>(t.e), bitcast<u32>(t.m2), t.count);
    moments[2u * index + 1u] = vec4(bitcast<u32>(t.exponent), 0u, 0u, 0u);
}
