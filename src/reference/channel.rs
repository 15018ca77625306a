use super::moments::mean_variance;
use super::{Output, Parameters, check_shape, rstd};
use crate::spec::{Affine, Layout};

/// A tensor of samples, channels and positions (the spatial axes in one).
pub(super) struct Tensor {
    pub samples: usize,
    pub channels: usize,
    pub positions: usize,
    layout: Layout,
}

impl Tensor {
    pub fn new(x: &[f64], shape: &[usize], layout: Layout) -> Self {
        check_shape(x, shape);
        assert!(shape.len() >= 2, "no channel axis in {shape:?}");
        let last = shape.len() - 1;
        let (channels, spatial) = match layout {
            Layout::ChannelsFirst => (shape[1], &shape[2..]),
            Layout::ChannelsLast => (shape[last], &shape[1..last]),
        };
        Self {
            samples: shape[0],
            channels,
            positions: spatial.iter().product(),
            layout,
        }
    }

    pub fn index(&self, sample: usize, channel: usize, position: usize) -> usize {
        match self.layout {
            Layout::ChannelsFirst => (sample * self.channels + channel) * self.positions + position,
            Layout::ChannelsLast => (sample * self.positions + position) * self.channels + channel,
        }
    }
}

/// Batch normalization with the statistics of the batch, per channel over samples and positions.
///
/// ```text
/// y[n, c, s] = (x[n, c, s] - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
/// ```
///
/// The shape is in memory order, N×C×… or N×…×C. Source: Ioffe and Szegedy, "Batch Normalization", 2015;
/// `torch.nn.BatchNorm1d` to `3d` in training mode; ONNX BatchNormalization-15 with `training_mode = 1`.
pub fn batch_norm(
    x: &[f64],
    shape: &[usize],
    layout: Layout,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let t = &Tensor::new(x, shape, layout);
    let parameters = Parameters::new(weight, bias, t.channels);
    let mut output = Output::new(x.len());
    for c in 0..t.channels {
        let places = (0..t.samples).flat_map(|n| (0..t.positions).map(move |s| (t.index(n, c, s), c)));
        output.push_segment(x, places, |segment| mean_variance(segment, 0), rstd(eps), parameters);
    }
    output
}

/// Instance normalization, per sample and channel over positions.
///
/// ```text
/// y[n, c, s] = (x[n, c, s] - mean[n, c]) / sqrt(var[n, c] + eps) * weight[c] + bias[c]
/// ```
///
/// The shape is in memory order, N×C×… or N×…×C. Source: Ulyanov, Vedaldi and Lempitsky, "Instance
/// Normalization", 2016; `torch.nn.InstanceNorm1d` to `3d`; ONNX InstanceNormalization-22.
pub fn instance_norm(
    x: &[f64],
    shape: &[usize],
    layout: Layout,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let t = &Tensor::new(x, shape, layout);
    let parameters = Parameters::new(weight, bias, t.channels);
    let mut output = Output::new(x.len());
    for n in 0..t.samples {
        for c in 0..t.channels {
            let places = (0..t.positions).map(|s| (t.index(n, c, s), c));
            output.push_segment(x, places, |segment| mean_variance(segment, 0), rstd(eps), parameters);
        }
    }
    output
}

/// Group normalization, per sample and group of consecutive channels over those channels and positions.
///
/// ```text
/// y[n, c, s] = (x[n, c, s] - mean[n, g]) / sqrt(var[n, g] + eps) * weight[p] + bias[p]
/// ```
///
/// with g = c / (C / groups), and p = c or p = g as `affine` says. The shape is in memory order, N×C×… or
/// N×…×C. Source: Wu and He, "Group Normalization", 2018; `torch.nn.GroupNorm`; ONNX GroupNormalization-21 (per
/// channel) and -18 (per group).
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn group_norm(
    x: &[f64],
    shape: &[usize],
    layout: Layout,
    groups: usize,
    affine: Affine,
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let t = &Tensor::new(x, shape, layout);
    assert!(
        groups > 0 && t.channels.is_multiple_of(groups),
        "{groups} groups of {} channels",
        t.channels
    );
    let width = t.channels / groups;
    let parameter = |c: usize, g: usize| if affine == Affine::PerChannel { c } else { g };
    let parameters = Parameters::new(weight, bias, parameter(t.channels, groups));
    let mut output = Output::new(x.len());
    for n in 0..t.samples {
        for g in 0..groups {
            let places = (g * width..(g + 1) * width)
                .flat_map(|c| (0..t.positions).map(move |s| (t.index(n, c, s), parameter(c, g))));
            output.push_segment(x, places, |segment| mean_variance(segment, 0), rstd(eps), parameters);
        }
    }
    output
}

/// Batch or instance normalization in evaluation mode, with one given mean and variance per channel.
///
/// ```text
/// y[n, c, s] = (x[n, c, s] - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
/// ```
///
/// The shape is in memory order, N×C×… or N×…×C. Source: `torch.nn.BatchNorm1d` to `3d` and `InstanceNorm1d` to
/// `3d` in evaluation mode with running statistics; ONNX BatchNormalization-15 with `training_mode = 0`.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn with_statistics(
    x: &[f64],
    shape: &[usize],
    layout: Layout,
    mean: &[f64],
    var: &[f64],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Vec<f64> {
    let t = &Tensor::new(x, shape, layout);
    let parameters = Parameters::new(weight, bias, t.channels);
    assert_eq!((mean.len(), var.len()), (t.channels, t.channels), "mean and var");
    let mut y = vec![0.0; x.len()];
    for n in 0..t.samples {
        for c in 0..t.channels {
            let rstd = rstd(eps)(var[c]);
            for s in 0..t.positions {
                let i = t.index(n, c, s);
                y[i] = parameters.apply((x[i] - mean[c]) * rstd, c);
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_close;
    use Layout::{ChannelsFirst, ChannelsLast};

    /// Moves the channels of an N×C×S tensor last.
    fn channels_last(x: &[f64], [samples, channels, positions]: [usize; 3]) -> Vec<f64> {
        let mut moved = Vec::with_capacity(x.len());
        for n in 0..samples {
            for s in 0..positions {
                for c in 0..channels {
                    moved.push(x[(n * channels + c) * positions + s]);
                }
            }
        }
        moved
    }

    #[test]
    fn batch_norm_by_hand() {
        // Channel 0: 1 3 5 7, mean 4, var 5. Channel 1: 2 2 2 2.
        let x = [1.0, 3.0, 2.0, 2.0, 5.0, 7.0, 2.0, 2.0];
        let output = batch_norm(&x, &[2, 2, 2], ChannelsFirst, Some(&[2.0, 3.0]), Some(&[0.0, 1.0]), 4.0);
        assert_close(
            &output.y,
            &[-2.0, -2.0 / 3.0, 1.0, 1.0, 2.0 / 3.0, 2.0, 1.0, 1.0],
            1e-15,
        );
        assert_eq!((output.mean, output.var), (vec![4.0, 2.0], vec![5.0, 0.0]));
        assert_close(&output.rstd, &[1.0 / 3.0, 0.5], 1e-16);
    }

    #[test]
    fn instance_norm_by_hand() {
        // Per sample and channel: 1 3, 2 2, 5 9, 0 4.
        let x = [1.0, 3.0, 2.0, 2.0, 5.0, 9.0, 0.0, 4.0];
        let output = instance_norm(&x, &[2, 2, 2], ChannelsFirst, Some(&[1.0, 3.0]), Some(&[0.0, 1.0]), 0.0);
        assert_close(&output.y[..2], &[-1.0, 1.0], 0.0);
        assert!(output.y[2].is_nan());
        assert_close(&output.y[4..], &[-1.0, 1.0, -2.0, 4.0], 0.0);
        assert_eq!(
            (output.mean, output.var),
            (vec![2.0, 2.0, 7.0, 2.0], vec![1.0, 0.0, 4.0, 4.0])
        );
    }

    #[test]
    fn group_norm_by_hand() {
        // One sample, four channels of one position, two groups: 1 3 and 4 8.
        let x = [1.0, 3.0, 4.0, 8.0];
        let weight = [1.0, 2.0, 3.0, 4.0];
        let per_channel = group_norm(
            &x,
            &[1, 4],
            ChannelsFirst,
            2,
            Affine::PerChannel,
            Some(&weight),
            None,
            0.0,
        );
        assert_eq!(per_channel.y, [-1.0, 2.0, -3.0, 4.0]);
        assert_eq!((per_channel.mean, per_channel.var), (vec![2.0, 6.0], vec![1.0, 4.0]));
        let per_group = group_norm(
            &x,
            &[1, 4],
            ChannelsFirst,
            2,
            Affine::PerGroup,
            Some(&[2.0, 3.0]),
            Some(&[0.0, 1.0]),
            0.0,
        );
        assert_eq!(per_group.y, [-2.0, 2.0, -2.0, 4.0]);
    }

    #[test]
    fn group_norm_of_one_group_or_of_all_is_layer_or_instance_norm() {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i * i % 17)).collect();
        let grouped = |groups| {
            group_norm(
                &x,
                &[2, 4, 3],
                ChannelsFirst,
                groups,
                Affine::PerChannel,
                None,
                None,
                1e-5,
            )
        };
        assert_eq!(
            grouped(1),
            crate::reference::layer_norm(&x, &[2, 4, 3], &[1, 2], &[1, 2], None, None, 1e-5)
        );
        assert_eq!(
            grouped(4),
            instance_norm(&x, &[2, 4, 3], ChannelsFirst, None, None, 1e-5)
        );
    }

    #[test]
    fn channels_last_is_channels_first_moved() {
        let extents = [2, 6, 5];
        let x: Vec<f64> = (0..60).map(|i| f64::from(i * i % 23)).collect();
        let moved = channels_last(&x, extents);
        let weight: Vec<f64> = (1..=6).map(f64::from).collect();
        let (weight, bias, eps) = (Some(weight.as_slice()), Some([0.5; 6].as_slice()), 1e-5);
        type Norm = fn(&[f64], &[usize], Layout, Option<&[f64]>, Option<&[f64]>, f64) -> Output;
        let norms: [Norm; 3] = [batch_norm, instance_norm, |x, shape, layout, weight, bias, eps| {
            group_norm(x, shape, layout, 3, Affine::PerChannel, weight, bias, eps)
        }];
        for norm in norms {
            let first = norm(&x, &[2, 6, 5], ChannelsFirst, weight, bias, eps);
            let last = norm(&moved, &[2, 5, 6], ChannelsLast, weight, bias, eps);
            assert_close(&last.y, &channels_last(&first.y, extents), 1e-14);
            assert_close(&last.mean, &first.mean, 1e-14);
            assert_close(&last.rstd, &first.rstd, 1e-14);
        }
        let (mean, var) = ([1.0; 6], [4.0; 6]);
        let first = with_statistics(&x, &[2, 6, 5], ChannelsFirst, &mean, &var, weight, bias, eps);
        let last = with_statistics(&moved, &[2, 5, 6], ChannelsLast, &mean, &var, weight, bias, eps);
        assert_eq!(last, channels_last(&first, extents));
    }

    #[test]
    fn given_statistics_by_hand() {
        // The example of the ONNX operator BatchNormalization.
        let x = [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0];
        let y = with_statistics(
            &x,
            &[1, 2, 1, 3],
            ChannelsFirst,
            &[0.0, 3.0],
            &[1.0, 1.5],
            Some(&[1.0, 1.5]),
            Some(&[0.0, 1.0]),
            1e-5,
        );
        let (a, b) = (1.0 / 1.00001f64.sqrt(), 1.5 / 1.50001f64.sqrt());
        assert_close(&y, &[-a, 0.0, a, 1.0 - b, 1.0, 1.0 + b], 1e-15);
    }

    #[test]
    fn special_values_stay_in_their_channel() {
        let x = [1.0, f64::NEG_INFINITY, -2.0, 2.0];
        let y = batch_norm(&x, &[1, 2, 2], ChannelsFirst, None, None, 0.0).y;
        assert!(y[0].is_nan() && y[1].is_nan());
        assert_eq!(y[2..], [-1.0, 1.0]);
    }

    #[test]
    fn an_empty_batch() {
        let output = batch_norm(&[], &[0, 2, 3], ChannelsFirst, Some(&[1.0; 2]), None, 1e-5);
        assert!(output.y.is_empty());
        assert_close(&output.mean, &[f64::NAN; 2], 0.0);
        let output = instance_norm(&[], &[0, 2, 3], ChannelsFirst, None, None, 1e-5);
        assert!(output.y.is_empty() && output.mean.is_empty());
    }
}
