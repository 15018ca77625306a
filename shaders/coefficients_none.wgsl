// The statistics are given: dx = r dy weight.

fn coefficients_at(index: u32) -> Coefficients {
    return Coefficients(Real(0.0), Real(0.0), Bits(0u), Real(1.0));
}
