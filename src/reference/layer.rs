use super::moments::{mean_square, mean_variance};
use super::{Output, Parameters, check_shape, rstd};

/// Layer normalization over the axes from `axis` on.
///
/// ```text
/// y[row, i] = (x[row, i] - mean[row]) / sqrt(var[row] + eps) * weight[i] + bias[i]
/// ```
///
/// Weight and bias have the shape of the normalized axes. Source: Ba, Kiros and Hinton, "Layer Normalization",
/// 2016; `torch.nn.LayerNorm`; ONNX LayerNormalization-17.
pub fn layer_norm(
    x: &[f64],
    shape: &[usize],
    axis: usize,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    normalize_rows(x, shape, axis, weight, bias, eps, |row| mean_variance(row, 0))
}

/// Root mean square normalization over the axes from `axis` on.
///
/// ```text
/// y[row, i] = x[row, i] / sqrt(mean(x[row]^2) + eps) * weight[i] + bias[i]
/// ```
///
/// Weight and bias have the shape of the normalized axes. Source: Zhang and Sennrich, "Root Mean Square Layer
/// Normalization", 2019; `torch.nn.RMSNorm`; ONNX RMSNormalization-23.
pub fn rms_norm(
    x: &[f64],
    shape: &[usize],
    axis: usize,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    normalize_rows(x, shape, axis, weight, bias, eps, |row| (0.0, mean_square(row)))
}

fn normalize_rows(
    x: &[f64],
    shape: &[usize],
    axis: usize,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
    statistics: impl Fn(&[f64]) -> (f64, f64),
) -> Output {
    check_shape(x, shape);
    let rows: usize = shape[..axis].iter().product();
    let columns: usize = shape[axis..].iter().product();
    let parameters = Parameters::new(weight, bias, columns);
    let mut output = Output::new(x.len());
    for row in 0..rows {
        let places = (0..columns).map(|i| (row * columns + i, i));
        output.push_segment(x, places, &statistics, rstd(eps), parameters);
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_close;

    #[test]
    fn layer_norm_by_hand() {
        // Rows 1 2 3 4 and 10 10 10 10: deviations -1.5 -0.5 0.5 1.5, var 1.25.
        let x = [1.0, 2.0, 3.0, 4.0, 10.0, 10.0, 10.0, 10.0];
        let (weight, bias) = ([1.0, 2.0, 3.0, 4.0], [0.5, 0.0, 0.0, -0.5]);
        let output = layer_norm(&x, &[2, 4], 1, Some(&weight), Some(&bias), 0.75);
        let rstd = 0.5f64.sqrt();
        let first = [-1.5 * rstd + 0.5, -rstd, 1.5 * rstd, 6.0 * rstd - 0.5];
        assert_close(&output.y, &[&first, bias.as_slice()].concat(), 1e-15);
        assert_eq!(output.mean, [2.5, 10.0]);
        assert_eq!(output.var, [1.25, 0.0]);
        assert_close(&output.rstd, &[rstd, 1.0 / 0.75f64.sqrt()], 1e-15);
    }

    #[test]
    fn trailing_axes_are_one_row() {
        let x: Vec<f64> = (0..24).map(f64::from).collect();
        let weight: Vec<f64> = (0..12).map(f64::from).collect();
        let nested = layer_norm(&x, &[2, 3, 4], 1, Some(&weight), None, 1e-5);
        assert_eq!(nested, layer_norm(&x, &[2, 12], 1, Some(&weight), None, 1e-5));
        assert_eq!(layer_norm(&x, &[2, 3, 4], 0, None, None, 1e-5).mean, [11.5]);
    }

    #[test]
    fn rms_norm_by_hand() {
        let output = rms_norm(&[3.0, 4.0, 0.0, 0.0], &[2, 2], 1, Some(&[1.0, 2.0]), None, 12.5);
        assert_close(&output.y, &[0.6, 1.6, 0.0, 0.0], 1e-15);
        assert_eq!((output.mean, output.var), (vec![0.0, 0.0], vec![12.5, 0.0]));
        assert_close(&output.rstd, &[0.2, 1.0 / 12.5f64.sqrt()], 1e-15);
    }

    #[test]
    fn special_values_stay_in_their_row() {
        let x = [1.0, f64::NAN, 1.0, f64::INFINITY, -1.0, 1.0];
        let layer = layer_norm(&x, &[3, 2], 1, None, None, 0.0);
        assert!(layer.y[..4].iter().all(|y| y.is_nan()));
        assert_eq!(layer.y[4..], [-1.0, 1.0]);
        let rms = rms_norm(&x, &[3, 2], 1, None, None, 0.0);
        assert_eq!((rms.y[2], rms.y[4], rms.y[5]), (0.0, -1.0, 1.0));
        // 0 / 0: no eps, no variance.
        assert!(layer_norm(&[5.0, 5.0], &[1, 2], 1, None, None, 0.0).y[0].is_nan());
    }

    #[test]
    fn empty_tensors() {
        let output = layer_norm(&[], &[0, 4], 1, Some(&[1.0; 4]), None, 1e-5);
        assert!(output.y.is_empty() && output.mean.is_empty());
        let output = layer_norm(&[], &[2, 0], 1, Some(&[]), None, 1e-5);
        assert!(output.y.is_empty());
        assert_close(&output.mean, &[f64::NAN, f64::NAN], 0.0);
    }
}
