//! Quantiles of the standard normal distribution.

/// A quotient of polynomials: the coefficients of numerator and denominator, from the highest power on.
type Quotient = [[f64; 8]; 2];

const CENTRAL: Quotient = [
    [
        2509.0809287301227,
        33430.57558358813,
        67265.7709270087,
        45921.95393154987,
        13731.69376550946,
        1971.5909503065513,
        133.14166789178438,
        3.3871328727963665,
    ],
    [
        5226.495278852854,
        28729.085735721943,
        39307.89580009271,
        21213.794301586597,
        5394.196021424751,
        687.1870074920579,
        42.31333070160091,
        1.0,
    ],
];

const MIDDLE: Quotient = [
    [
        0.0007745450142783414,
        0.022723844989269184,
        0.2417807251774506,
        1.2704582524523684,
        3.6478483247632045,
        5.769497221460691,
        4.630337846156546,
        1.4234371107496835,
    ],
    [
        1.0507500716444169e-09,
        0.0005475938084995345,
        0.015198666563616457,
        0.14810397642748008,
        0.6897673349851,
        1.6763848301838038,
        2.053191626637759,
        1.0,
    ],
];

const FAR: Quotient = [
    [
        2.0103343992922881e-07,
        2.7115555687434876e-05,
        0.0012426609473880784,
        0.026532189526576124,
        0.29656057182850487,
        1.7848265399172913,
        5.463784911164114,
        6.657904643501103,
    ],
    [
        2.0442631033899397e-15,
        1.421511758316446e-07,
        1.8463183175100548e-05,
        0.0007868691311456133,
        0.014875361290850615,
        0.1369298809227358,
        0.599832206555888,
        1.0,
    ],
];

/// The value below which a standard normal variable is with probability `p`, to about 16 digits; ±∞ for 1 and 0.
///
/// Algorithm AS 241, PPND16 (Wichura 1988, Applied Statistics 37 (3), 477-484).
pub(super) fn normal_quantile(p: f64) -> f64 {
    let from_middle = p - 0.5;
    if from_middle.abs() <= 0.425 {
        return from_middle * quotient(&CENTRAL, 0.180625 - from_middle * from_middle);
    }
    let tail = if from_middle < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return f64::INFINITY.copysign(from_middle);
    }
    let r = (-tail.ln()).sqrt();
    let magnitude = if r <= 5.0 {
        quotient(&MIDDLE, r - 1.6)
    } else {
        quotient(&FAR, r - 5.0)
    };
    magnitude.copysign(from_middle)
}

fn quotient([numerator, denominator]: &Quotient, x: f64) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient);
    polynomial(numerator) / polynomial(denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (p, expected) in [
            (0.5, 0.0),
            (0.75, 0.6744897501960817),
            (0.95, 1.6448536269514715),
            (0.1, -1.2815515655446008),
            (0.975, 1.9599639845400536),
            (0.001, -3.090232306167813),
            (1e-09, -5.9978070150076865),
            (1e-20, -9.262340089798405),
        ] {
            let found = normal_quantile(p);
            assert!(
                (found - expected).abs() <= 4.0 * f64::EPSILON * f64::abs(expected),
                "{p}: {found}"
            );
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
    }
}
