//! Which of many numbers, all as good, is the one that was written.

/// Digits of f64.
const DIGITS: i32 = 17;

/// The decimal of fewest digits within `error` of x for which `same` holds; else x.
///
/// An inverse transform cannot give back the last bits of x, which rounding y lost: many x have the same y. Tables hold
/// decimals, mostly, and of these many the one with the fewest digits is what stood there.
pub fn shortest(x: f64, error: f64, same: impl Fn(f64) -> bool) -> f64 {
    if x == 0.0 || !x.is_finite() || !(error > 0.0 && error.is_finite()) {
        return x;
    }
    let first = x.abs().log10().floor() as i32;
    // Where neighbours are as far apart as the errors reach; a place more, and one less.
    let place = (2.0 * error).log10().floor() as i32;
    for place in [place + 1, place, place - 1] {
        let rounded = match usize::try_from(first - place) {
            Err(_) => 0.0,
            Ok(digits) if digits >= DIGITS as usize => break,
            Ok(digits) => format!("{x:.digits$e}").parse().unwrap_or(x),
        };
        if same(rounded) {
            return rounded;
        }
    }
    x
}

/// The same where the error is not known, but for the share of x: the decimal of fewest digits for which `same` holds;
/// else x. Of a `steep` function, 0 may be meant by any x, as no others than those next to it are the same.
pub fn shortest_near(x: f64, share: f64, steep: bool, same: impl Fn(f64) -> bool) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    if steep && same(0.0) {
        return 0.0;
    }
    let rounded = (0..DIGITS as usize).map(|digits| format!("{x:.digits$e}").parse().unwrap_or(x));
    let mut near = rounded.filter(|rounded: &f64| (rounded - x).abs() <= share * x.abs());
    near.find(|&rounded| same(rounded)).unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_come_back_from_functions() {
        for x in [13.2f64, -1e-3, 1065.0, 14.23, 1e6, 12.999_999_9] {
            let y = (x + 2.0).ln();
            assert_eq!(shortest_near(y.exp() - 2.0, 1e-6, true, |x| (x + 2.0).ln() == y), x);
        }
        assert_eq!(shortest_near(0.1 + 0.2, 1e-6, true, |_| false), 0.1 + 0.2);
        assert_eq!(shortest_near(1.23, 1e-6, false, |_| true), 1.23);
        assert_eq!(shortest_near(1e-17, 1e-6, true, |x| x + 1.0 == 1.0), 0.0);
        assert!(shortest_near(f64::NAN, 1e-6, true, |_| true).is_nan());
    }

    #[test]
    fn decimals_come_back() {
        let (mean, scale) = (13.000617, 0.809543);
        let forward = |x: f64| (x - mean) / scale;
        for x in [13.2, 0.0, -1e-3, 1065.0, 14.23, 1e6, 12.999_999_9] {
            let y = forward(x);
            let back = y * scale + mean;
            let error = 4.0 * f64::EPSILON * (y.abs() * scale + mean);
            assert_eq!(shortest(back, error, |x| forward(x) == y), x);
        }
    }

    #[test]
    fn nothing_is_made_up() {
        assert_eq!(shortest(0.1 + 0.2, 1e-15, |_| false), 0.1 + 0.2);
        assert!(shortest(f64::NAN, 1.0, |_| true).is_nan());
        assert_eq!(shortest(2.5, 0.0, |_| true), 2.5);
    }
}
