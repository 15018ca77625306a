/// Running statistics after a batch.
///
/// ```text
/// new[c] = (1 - rate) * old[c] + rate * mean over n of batch[n, c]
/// ```
///
/// `batch` holds the mean, or the variance, of each instance and channel: one instance for batch norm, N for
/// instance norm. Without instances nothing changes. Where an unbiased variance is to enter, convert it first:
/// [`unbiased_variance`]. `rate` is PyTorch's momentum, and 1 - momentum of ONNX, Keras and Flax. Source:
/// `torch.nn.functional.batch_norm` and `instance_norm`; ONNX BatchNormalization-15.
pub fn update_running(old: &[f64], batch: &[f64], rate: f64) -> Vec<f64> {
    if batch.is_empty() {
        return old.to_vec();
    }
    let channels = old.len();
    assert!(
        channels > 0 && batch.len().is_multiple_of(channels),
        "{} statistics of {channels} channels",
        batch.len()
    );
    let instances = batch.len() / channels;
    let mut new = Vec::with_capacity(channels);
    for c in 0..channels {
        let mean = (0..instances).map(|n| batch[n * channels + c]).sum::<f64>() / instances as f64;
        new.push((1.0 - rate) * old[c] + rate * mean);
    }
    new
}

/// Variances with divisor n - 1 of those with divisor n; NaN for n = 1.
///
/// ```text
/// unbiased = var * n / (n - 1)
/// ```
pub fn unbiased_variance(var: &[f64], n: usize) -> Vec<f64> {
    let n = n as f64;
    let unbiased = |var: &f64| if n > 1.0 { var * n / (n - 1.0) } else { f64::NAN };
    var.iter().map(unbiased).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_close;

    #[test]
    fn by_hand() {
        // PyTorch's momentum 0.25; ONNX would call it 0.75.
        assert_eq!(update_running(&[0.0, 8.0], &[4.0, 0.0], 0.25), [1.0, 6.0]);
        // Two instances: channel averages 3 and 5.
        assert_eq!(update_running(&[1.0, 1.0], &[2.0, 4.0, 4.0, 6.0], 0.5), [2.0, 3.0]);
        assert_eq!(update_running(&[1.0, 2.0], &[], 0.5), [1.0, 2.0]);
    }

    #[test]
    fn one_value_has_no_unbiased_variance() {
        assert_eq!(unbiased_variance(&[3.0], 4), [4.0]);
        assert_close(&unbiased_variance(&[0.0, 0.0], 1), &[f64::NAN; 2], 0.0);
    }
}
