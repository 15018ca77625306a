//! Quantiles and probabilities of the standard normal distribution.

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
    polynomial(numerator, x) / polynomial(denominator, x)
}

/// The numerators and denominators of Cody's approximations, from the highest power on.
const NEAR: [[f64; 5]; 2] = [
    [
        0.06568233791820745,
        2.2352520354606837,
        161.02823106855587,
        1067.6894854603709,
        18154.98125334356,
    ],
    [
        1.0,
        47.202581904688245,
        976.0985517377767,
        10260.932208618979,
        45507.78933502673,
    ],
];
const BETWEEN: [[f64; 9]; 2] = [
    [
        1.0765576773720192e-08,
        0.39894151208813466,
        8.883149794388377,
        93.50665613217785,
        597.2702763948002,
        2494.5375852903726,
        6848.190450536283,
        11602.65143764735,
        9842.714838383978,
    ],
    [
        1.0,
        22.266688044328117,
        235.387901782625,
        1519.3775994075547,
        6485.558298266761,
        18615.571640885097,
        34900.95272114598,
        38912.00328609327,
        19685.429676859992,
    ],
];
const BEYOND: [[f64; 6]; 2] = [
    [
        0.023073441764940174,
        0.215898534057957,
        0.12740116116024736,
        0.022235277870649807,
        0.0014216191932278934,
        2.9112874951168793e-05,
    ],
    [
        1.0,
        1.284260096144911,
        0.4682382124808651,
        0.06598813786892856,
        0.0037823963320275824,
        7.297515550839662e-05,
    ],
];

/// The probability that a standard normal variable is below `x`, to about 16 digits, in the lower tail too.
///
/// Cody 1969, Rational Chebyshev approximations for the error function, Mathematics of Computation 23, 631-637.
pub(super) fn normal_probability(x: f64) -> f64 {
    let magnitude = x.abs();
    if magnitude <= 0.67448975 {
        return 0.5 + x * polynomial(&NEAR[0], x * x) / polynomial(&NEAR[1], x * x);
    }
    let ratio = if magnitude <= 32f64.sqrt() {
        polynomial(&BETWEEN[0], magnitude) / polynomial(&BETWEEN[1], magnitude)
    } else {
        let square = (x * x).recip();
        let tail = square * polynomial(&BEYOND[0], square) / polynomial(&BEYOND[1], square);
        (FRAC_1_SQRT_2PI - tail) / magnitude
    };
    // exp(-x²/2) of a square that is split, so that its rounding does not count.
    let coarse = (magnitude * 16.0).trunc() / 16.0;
    let rest = (magnitude - coarse) * (magnitude + coarse);
    let tail = match magnitude > 40.0 {
        true => 0.0,
        false => (-0.5 * coarse * coarse).exp() * (-0.5 * rest).exp() * ratio,
    };
    if x.is_nan() {
        x
    } else if x > 0.0 {
        1.0 - tail
    } else {
        tail
    }
}

/// 1 / sqrt(2 π)
const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
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

    #[test]
    fn known_probabilities() {
        for (x, expected) in [
            (-0.3, 0.3820885778110474),
            (-1.0, 0.15865525393145705),
            (-3.0, 0.0013498980316300946),
            (-6.0, 9.86587645037698e-10),
            (-20.0, 2.7536241186062337e-89),
            (2.0, 0.9772498680518208),
            (0.0, 0.5),
            (-50.0, 0.0),
            (50.0, 1.0),
            (f64::NEG_INFINITY, 0.0),
            (f64::INFINITY, 1.0),
        ] {
            let found = normal_probability(x);
            assert!(
                (found - expected).abs() <= 8.0 * f64::EPSILON * expected,
                "{x}: {found}"
            );
        }
        assert!(normal_probability(f64::NAN).is_nan());
    }

    #[test]
    fn quantiles_undo_probabilities() {
        for i in 1..1000 {
            let p = f64::from(i) / 1000.0;
            assert!((normal_probability(normal_quantile(p)) - p).abs() <= 4e-16);
        }
    }
}
