use super::axes::normalize_axes;
use super::moments::{mean_square, mean_variance};
use super::{Output, rstd};

/// Layer normalization over `axes`.
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight + bias
/// ```
///
/// There is one mean and one variance per position of the other axes. Weight and bias have the shape of
/// `weight_axes`, any of the axes in increasing order: those normalized, for the layer norm of the paper and of
/// PyTorch; others too, or others only. Over samples and positions with a weight per channel this is batch norm,
/// over positions instance norm, and with the channel axis split in two group norm. Source: Ba, Kiros and Hinton,
/// "Layer Normalization", 2016; `torch.nn.LayerNorm`; ONNX LayerNormalization-17; Keras
/// `LayerNormalization(axis=[...])`; `reduction_axes` and `feature_axes` of Flax `LayerNorm`.
pub fn layer_norm(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let statistics = |segment: &[f64]| mean_variance(segment, 0);
    normalize_axes(x, shape, axes, weight_axes, weight, bias, statistics, rstd(eps))
}

/// Root mean square normalization over `axes`.
///
/// ```text
/// y = x / sqrt(mean(x^2) + eps) * weight + bias
/// ```
///
/// There is one mean square per position of the other axes. Weight and bias have the shape of `weight_axes`, any of
/// the axes in increasing order. Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019;
/// `torch.nn.RMSNorm`; ONNX RMSNormalization-23; Keras `RMSNormalization`; `reduction_axes` and `feature_axes` of
/// Flax `RMSNorm`.
pub fn rms_norm(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let statistics = |segment: &[f64]| (0.0, mean_square(segment));
    normalize_axes(x, shape, axes, weight_axes, weight, bias, statistics, rstd(eps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_close, batch_norm, group_norm, instance_norm, naive};
    use crate::spec::{Affine, Layout};

    #[test]
    fn layer_norm_by_hand() {
        // Rows 1 2 3 4 and 10 10 10 10: deviations -1.5 -0.5 0.5 1.5, var 1.25.
        let x = [1.0, 2.0, 3.0, 4.0, 10.0, 10.0, 10.0, 10.0];
        let (weight, bias) = ([1.0, 2.0, 3.0, 4.0], [0.5, 0.0, 0.0, -0.5]);
        let output = layer_norm(&x, &[2, 4], &[1], &[1], Some(&weight), Some(&bias), 0.75);
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
        let nested = layer_norm(&x, &[2, 3, 4], &[1, 2], &[1, 2], Some(&weight), None, 1e-5);
        assert_eq!(nested, layer_norm(&x, &[2, 12], &[1], &[1], Some(&weight), None, 1e-5));
        assert_eq!(
            layer_norm(&x, &[2, 3, 4], &[0, 1, 2], &[], None, None, 1e-5).mean,
            [11.5]
        );
    }

    #[test]
    fn separate_axes_by_hand() {
        // Axes 0 and 2 of 2x2x2: segments 1 3 5 7 (mean 4, var 5) and 0 0 0 4 (mean 1, var 3).
        let x = [1.0, 3.0, 0.0, 0.0, 5.0, 7.0, 0.0, 4.0];
        // Weight over axes 1 (kept) and 2 (normalized).
        let weight = [1.0, 2.0, 3.0, 4.0];
        let output = layer_norm(
            &x,
            &[2, 2, 2],
            &[2, 0],
            &[2, 1],
            Some(&weight),
            Some(&[0.0, 0.0, 0.0, 1.0]),
            4.0,
        );
        assert_eq!((output.mean, output.var), (vec![4.0, 1.0], vec![5.0, 3.0]));
        let (a, b) = (1.0 / 3.0, 1.0 / 7f64.sqrt());
        let expected = [
            -3.0 * a,
            -2.0 * a,
            -3.0 * b,
            1.0 - 4.0 * b,
            a,
            6.0 * a,
            -3.0 * b,
            1.0 + 12.0 * b,
        ];
        assert_close(&output.y, &expected, 1e-15);
        assert_close(&output.rstd, &[a, b], 1e-15);

        let rms = rms_norm(&x, &[2, 2, 2], &[0, 2], &[0], Some(&[2.0, 0.5]), None, 4.0);
        let (a, b) = (1.0 / 5.0, 1.0 / 8f64.sqrt());
        assert_eq!(rms.var, [21.0, 4.0]);
        assert_close(
            &rms.y,
            &[2.0 * a, 6.0 * a, 0.0, 0.0, 2.5 * a, 3.5 * a, 0.0, 2.0 * b],
            1e-15,
        );
    }

    #[test]
    fn any_axes_and_any_weight_axes() {
        let shape = [2, 3, 2, 4];
        let x: Vec<f64> = (0..48).map(|i| f64::from(i * i % 29)).collect();
        let eps = 0.125;
        for axes in naive::subsets(4) {
            let kept: Vec<usize> = (0..4).filter(|axis| !axes.contains(axis)).collect();
            for weight_axes in naive::subsets(4) {
                let weight = naive::parameters(&shape, &weight_axes);
                let bias: Vec<f64> = weight.iter().map(|w| w * w).collect();
                let (w, b) = (Some(&weight[..]), Some(&bias[..]));
                let layer = layer_norm(&x, &shape, &axes, &weight_axes, w, b, eps);
                let rms = rms_norm(&x, &shape, &axes, &weight_axes, w, b, eps);
                assert_eq!(layer.mean.len(), naive::parameters(&shape, &kept).len());
                for element in 0..48 {
                    let values = naive::segment_of(element, &shape, &axes, &x);
                    let n = values.len() as f64;
                    let mean = values.iter().sum::<f64>() / n;
                    let square = values.iter().map(|x| x * x).sum::<f64>() / n;
                    let var = square - mean * mean;
                    let segment = naive::index_along(element, &shape, &kept);
                    let p = naive::index_along(element, &shape, &weight_axes);
                    assert_close(&[layer.mean[segment], layer.var[segment]], &[mean, var], 1e-12);
                    assert_close(&[rms.mean[segment], rms.var[segment]], &[0.0, square], 1e-12);
                    let y = (x[element] - mean) / (var + eps).sqrt() * weight[p] + bias[p];
                    assert_close(&[layer.y[element]], &[y], 1e-11);
                    let y = x[element] / (square + eps).sqrt() * weight[p] + bias[p];
                    assert_close(&[rms.y[element]], &[y], 1e-11);
                }
            }
        }
    }

    #[test]
    fn batch_instance_and_group_norm_are_layer_norms_over_axes() {
        let x: Vec<f64> = (0..120).map(|i| f64::from(i * i % 31)).collect();
        let weight = [1.0, 2.0, 3.0, 4.0];
        let bias = [0.5, 0.0, -0.5, 1.0];
        let (w, b) = (Some(&weight[..]), Some(&bias[..]));
        let (shape, eps) = ([2, 4, 3, 5], 1e-5);
        let first = Layout::ChannelsFirst;
        assert_eq!(
            layer_norm(&x, &shape, &[0, 2, 3], &[1], w, b, eps),
            batch_norm(&x, &shape, first, w, b, eps)
        );
        assert_eq!(
            layer_norm(&x, &shape, &[2, 3], &[1], w, b, eps),
            instance_norm(&x, &shape, first, w, b, eps)
        );
        assert_eq!(
            layer_norm(&x, &[2, 2, 2, 15], &[2, 3], &[1, 2], w, b, eps),
            group_norm(&x, &shape, first, 2, Affine::PerChannel, w, b, eps)
        );
        let (w, b) = (Some(&weight[..2]), Some(&bias[..2]));
        assert_eq!(
            layer_norm(&x, &[2, 2, 30], &[2], &[1], w, b, eps),
            group_norm(&x, &shape, first, 2, Affine::PerGroup, w, b, eps)
        );
    }

    #[test]
    fn rms_norm_by_hand() {
        let output = rms_norm(
            &[3.0, 4.0, 0.0, 0.0],
            &[2, 2],
            &[1],
            &[1],
            Some(&[1.0, 2.0]),
            None,
            12.5,
        );
        assert_close(&output.y, &[0.6, 1.6, 0.0, 0.0], 1e-15);
        assert_eq!((output.mean, output.var), (vec![0.0, 0.0], vec![12.5, 0.0]));
        assert_close(&output.rstd, &[0.2, 1.0 / 12.5f64.sqrt()], 1e-15);
    }

    #[test]
    fn special_values_stay_in_their_row() {
        let x = [1.0, f64::NAN, 1.0, f64::INFINITY, -1.0, 1.0];
        let layer = layer_norm(&x, &[3, 2], &[1], &[1], None, None, 0.0);
        assert!(layer.y[..4].iter().all(|y| y.is_nan()));
        assert_eq!(layer.y[4..], [-1.0, 1.0]);
        let rms = rms_norm(&x, &[3, 2], &[1], &[1], None, None, 0.0);
        assert_eq!((rms.y[2], rms.y[4], rms.y[5]), (0.0, -1.0, 1.0));
        // 0 / 0: no eps, no variance.
        assert!(layer_norm(&[5.0, 5.0], &[1, 2], &[1], &[1], None, None, 0.0).y[0].is_nan());
    }

    #[test]
    fn empty_tensors() {
        let output = layer_norm(&[], &[0, 4], &[1], &[1], Some(&[1.0; 4]), None, 1e-5);
        assert!(output.y.is_empty() && output.mean.is_empty());
        let output = layer_norm(&[], &[2, 0], &[1], &[1], Some(&[]), None, 1e-5);
        assert!(output.y.is_empty());
        assert_close(&output.mean, &[f64::NAN, f64::NAN], 0.0);
        let output = rms_norm(&[], &[2, 0, 3], &[0, 1], &[1, 2], Some(&[]), None, 1e-5);
        assert!(output.y.is_empty());
        assert_close(&output.var, &[f64::NAN; 3], 0.0);
    }
}
