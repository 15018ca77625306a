/// Mean and variance in two passes:
///
/// ```text
/// mean = sum(x) / n,  var = sum((x - mean)^2) / (n - ddof)
/// ```
///
/// The mean of the deviations, 0 but for rounding, is subtracted from them and added to the mean.
pub(super) fn mean_variance(values: &[f64], ddof: u32) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let residual = values.iter().map(|x| x - mean).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean - residual).powi(2)).sum();
    // A single value is a constant: its variance is 0 whatever ddof.
    let ddof = f64::from(ddof);
    let var = squares / if n > ddof { n - ddof } else { n };
    // The residual of an infinite mean is NaN: the mean stays infinite.
    let mean = if residual.is_finite() { mean + residual } else { mean };
    (mean, var)
}

/// `sum(x^2) / n`.
pub(super) fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean_variance(&[1.0, 2.0, 3.0, 4.0], 0), (2.5, 1.25));
        assert_eq!(mean_variance(&[1.0, 2.0, 3.0, 4.0], 1), (2.5, 5.0 / 3.0));
        assert_eq!(mean_square(&[3.0, -4.0]), 12.5);
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        // 2^20 values of 1e6 +- 1: their squares need 40 bits, their sum 60.
        let values: Vec<f64> = (0..1 << 20).map(|i| 1e6 + f64::from(i % 2 * 2 - 1)).collect();
        assert_eq!(mean_variance(&values, 0), (1e6, 1.0));
    }

    #[test]
    fn an_outlier_in_front_costs_no_digits() {
        // One 2^40 before 2^20 - 1 zeros: mean 2^20, var 2^60 - 2^40.
        let mut values = vec![0.0; 1 << 20];
        values[0] = 2f64.powi(40);
        let (mean, var) = mean_variance(&values, 0);
        assert_eq!(mean, 2f64.powi(20));
        assert!((var / (2f64.powi(60) - 2f64.powi(40)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn special_values_follow_ieee() {
        let (mean, var) = mean_variance(&[1.0, f64::INFINITY], 0);
        assert!(mean == f64::INFINITY && var.is_nan());
        let (mean, var) = mean_variance(&[], 0);
        assert!(mean.is_nan() && var.is_nan());
        assert_eq!(mean_variance(&[7.0], 1), (7.0, 0.0));
        assert_eq!(mean_square(&[1.0, f64::INFINITY]), f64::INFINITY);
    }
}
