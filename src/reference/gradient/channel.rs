use super::centered::on_variance;
use super::{Gradient, over_segments};
use crate::reference::channel::Tensor;
use crate::spec::{Affine, Layout};

/// Gradients of [`batch_norm`](crate::reference::batch_norm), which takes its statistics of the batch.
///
/// ```text
/// dx = r (g - mean(g) - x_hat mean(g x_hat)),  r = 1 / sqrt(var[c] + eps)
/// ```
///
/// with the means over a channel. Source: Ioffe and Szegedy, "Batch Normalization", 2015, section 3.
pub fn batch_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    layout: Layout,
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    let t = &Tensor::new(x, shape, layout);
    let segments = (0..t.channels).map(|c| {
        let places = (0..t.samples).flat_map(|n| (0..t.positions).map(move |s| (t.index(n, c, s), c)));
        places.collect()
    });
    over_segments(x, dy, segments, weight, t.channels, |x, g| on_variance(x, g, eps))
}

/// Gradients of [`instance_norm`](crate::reference::instance_norm).
///
/// ```text
/// dx = r (g - mean(g) - x_hat mean(g x_hat)),  r = 1 / sqrt(var[n, c] + eps)
/// ```
///
/// with the means over the positions of a sample's channel.
pub fn instance_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    layout: Layout,
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    let t = &Tensor::new(x, shape, layout);
    let segments = (0..t.samples).flat_map(|n| {
        (0..t.channels).map(move |c| (0..t.positions).map(|s| (t.index(n, c, s), c)).collect::<Vec<_>>())
    });
    over_segments(x, dy, segments, weight, t.channels, |x, g| on_variance(x, g, eps))
}

/// Gradients of [`group_norm`](crate::reference::group_norm).
///
/// ```text
/// dx = r (g - mean(g) - x_hat mean(g x_hat)),  r = 1 / sqrt(var[n, group] + eps)
/// ```
///
/// with the means over a sample's group of channels, within which the weight varies if it is per channel.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn group_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    layout: Layout,
    groups: usize,
    affine: Affine,
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    let t = &Tensor::new(x, shape, layout);
    assert!(
        groups > 0 && t.channels.is_multiple_of(groups),
        "{groups} groups of {} channels",
        t.channels
    );
    let width = t.channels / groups;
    let parameter = |c: usize, group: usize| if affine == Affine::PerChannel { c } else { group };
    let segments = (0..t.samples).flat_map(|n| {
        (0..groups).map(move |group| {
            let channels = group * width..(group + 1) * width;
            let places = channels.flat_map(|c| (0..t.positions).map(move |s| (t.index(n, c, s), parameter(c, group))));
            places.collect::<Vec<_>>()
        })
    });
    over_segments(x, dy, segments, weight, parameter(t.channels, groups), |x, g| {
        on_variance(x, g, eps)
    })
}

/// Gradients of [`with_statistics`](crate::reference::with_statistics): statistics that are given do not depend on x.
///
/// ```text
/// dx = r g,  r = 1 / sqrt(var[c] + eps)
/// ```
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn with_statistics(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    layout: Layout,
    mean: &[f64],
    var: &[f64],
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    let t = &Tensor::new(x, shape, layout);
    assert_eq!(dy.len(), x.len(), "elements of dy");
    assert_eq!((mean.len(), var.len()), (t.channels, t.channels), "mean and var");
    let mut gradient = Gradient {
        dx: vec![0.0; x.len()],
        dweight: vec![0.0; t.channels],
        dbias: vec![0.0; t.channels],
    };
    for n in 0..t.samples {
        for c in 0..t.channels {
            let r = 1.0 / (var[c] + eps).sqrt();
            for s in 0..t.positions {
                let i = t.index(n, c, s);
                gradient.dx[i] = r * dy[i] * weight.map_or(1.0, |weight| weight[c]);
                gradient.dweight[c] += dy[i] * (x[i] - mean[c]) * r;
                gradient.dbias[c] += dy[i];
            }
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::super::differences::{self, Random};
    use super::*;
    use crate::reference;

    const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

    #[test]
    fn every_layout_against_differences() {
        let mut random = Random::new(3);
        for (shape, layout) in [[2, 4, 3], [3, 2, 4]].into_iter().zip(LAYOUTS) {
            let (x, dy) = (random.values(24), random.values(24));
            let (weight, bias) = (random.values(4), random.values(4));
            let (w, weights) = (Some(&weight[..]), Some((&weight[..], &bias[..])));
            differences::check(
                &x,
                &dy,
                weights,
                &batch_norm(&x, &dy, &shape, layout, w, 0.1),
                |x, w, b| reference::batch_norm(x, &shape, layout, w, b, 0.1).y,
            );
            differences::check(
                &x,
                &dy,
                weights,
                &instance_norm(&x, &dy, &shape, layout, w, 0.1),
                |x, w, b| reference::instance_norm(x, &shape, layout, w, b, 0.1).y,
            );
            let (mean, var) = (random.values(4), [0.5, 1.0, 2.0, 3.0]);
            let gradient = with_statistics(&x, &dy, &shape, layout, &mean, &var, w, 0.1);
            differences::check(&x, &dy, weights, &gradient, |x, w, b| {
                reference::with_statistics(x, &shape, layout, &mean, &var, w, b, 0.1)
            });
            for groups in [1, 2, 4] {
                for affine in [Affine::PerChannel, Affine::PerGroup] {
                    let len = if affine == Affine::PerChannel { 4 } else { groups };
                    let (w, weights) = (Some(&weight[..len]), Some((&weight[..len], &bias[..len])));
                    let gradient = group_norm(&x, &dy, &shape, layout, groups, affine, w, 0.1);
                    differences::check(&x, &dy, weights, &gradient, |x, w, b| {
                        reference::group_norm(x, &shape, layout, groups, affine, w, b, 0.1).y
                    });
                }
            }
        }
    }

    #[test]
    fn empty_tensors_have_no_gradient() {
        for shape in [[0, 3, 2], [2, 3, 0]] {
            let gradient = batch_norm(&[], &[], &shape, Layout::ChannelsFirst, None, 1e-5);
            assert!(gradient.dx.is_empty());
            assert_eq!((gradient.dweight, gradient.dbias), (vec![0.0; 3], vec![0.0; 3]));
        }
    }
}
