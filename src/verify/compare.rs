//! Comparison of a tensor with its reference.

/// How far a result may be from its reference: `|actual - reference| <= atol + rtol * |reference|`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    /// Relative part.
    pub rtol: f64,
    /// Absolute part.
    pub atol: f64,
}

/// How a tensor compares with its reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Largest |actual - reference| among the elements where both are finite.
    pub max_abs_err: f64,
    /// Largest |actual - reference| / |reference| among those with a reference other than 0.
    pub max_rel_err: f64,
    /// Elements that are finite where the reference is not or the reverse, and elements missing or too many.
    pub nonfinite_mismatch: usize,
    /// True if no element is off by more than the tolerance and `nonfinite_mismatch` is 0.
    pub passed: bool,
}

/// Compares a tensor with its reference.
///
/// Where the reference is not finite, any value that is not finite will do. A reference beyond the range of f32
/// also accepts the infinity of its sign. Elsewhere the result must be finite and within the tolerance. Tensors
/// of different lengths do not agree.
///
/// ```
/// use wgnorm::verify::{Tolerance, compare};
/// let tolerance = Tolerance { rtol: 0.0, atol: 1e-6 };
/// assert!(compare([1.0, f64::INFINITY], &[1.0, f64::NAN], &tolerance).passed);
/// assert!(!compare([1.1, 2.0], &[1.0, 2.0], &tolerance).passed);
/// assert!(!compare([1.0], &[1.0, 2.0], &tolerance).passed);
/// ```
pub fn compare(actual: impl IntoIterator<Item = f64>, reference: &[f64], tolerance: &Tolerance) -> Comparison {
    let mut result = Comparison {
        max_abs_err: 0.0,
        max_rel_err: 0.0,
        nonfinite_mismatch: 0,
        passed: true,
    };
    let mut actual = actual.into_iter();
    for &reference in reference {
        match actual.next() {
            Some(actual) => result.add(actual, reference, tolerance),
            None => result.nonfinite_mismatch += 1,
        }
    }
    result.nonfinite_mismatch += actual.count();
    result.passed &= result.nonfinite_mismatch == 0;
    result
}

impl Comparison {
    fn add(&mut self, actual: f64, reference: f64, tolerance: &Tolerance) {
        if !reference.is_finite() {
            self.nonfinite_mismatch += usize::from(actual.is_finite());
            return;
        }
        if !actual.is_finite() {
            let overflow = reference.abs() > f64::from(f32::MAX) && actual == f64::INFINITY.copysign(reference);
            self.nonfinite_mismatch += usize::from(!overflow);
            return;
        }
        let error = (actual - reference).abs();
        self.max_abs_err = self.max_abs_err.max(error);
        if reference != 0.0 {
            self.max_rel_err = self.max_rel_err.max(error / reference.abs());
        }
        self.passed &= error <= tolerance.atol + tolerance.rtol * reference.abs();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Tolerance = Tolerance { rtol: 0.0, atol: 0.0 };

    fn passes(actual: f64, reference: f64) -> bool {
        compare([actual], &[reference], &EXACT).passed
    }

    #[test]
    fn a_reference_that_is_not_finite_accepts_whatever_is_not_finite() {
        assert!(passes(f64::NAN, f64::INFINITY));
        assert!(passes(f64::NEG_INFINITY, f64::NAN));
        assert!(!passes(1.0, f64::NAN));
        assert!(!passes(f64::NAN, 1.0));
    }

    #[test]
    fn a_reference_beyond_f32_accepts_the_infinity_of_its_sign() {
        assert!(passes(f64::INFINITY, 1e39));
        assert!(passes(f64::NEG_INFINITY, -1e39));
        assert!(!passes(f64::NEG_INFINITY, 1e39));
        assert!(!passes(f64::NAN, 1e39));
        assert!(!passes(f64::INFINITY, f64::from(f32::MAX)));
    }

    #[test]
    fn both_parts_of_the_tolerance_count() {
        let tolerance = Tolerance { rtol: 0.25, atol: 0.5 };
        assert!(compare([11.0], &[8.0], &Tolerance { rtol: 0.5, atol: 0.0 }).passed);
        assert!(compare([10.5], &[8.0], &tolerance).passed);
        assert!(!compare([10.75], &[8.0], &tolerance).passed);
        let comparison = compare([10.0, 0.5], &[8.0, 0.0], &tolerance);
        assert_eq!((comparison.max_abs_err, comparison.max_rel_err), (2.0, 0.25));
    }

    #[test]
    fn lengths_must_agree() {
        assert_eq!(compare([1.0, 2.0], &[1.0], &EXACT).nonfinite_mismatch, 1);
        assert_eq!(compare([], &[1.0, 2.0], &EXACT).nonfinite_mismatch, 2);
        assert!(compare([], &[], &EXACT).passed);
    }
}
