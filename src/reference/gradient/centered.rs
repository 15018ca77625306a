use super::{Gradient, Segment, dot, over_segments};
use crate::reference::axes::{segments, weight_len};
use crate::reference::check_shape;
use crate::reference::moments::{mean_square, mean_variance};

/// Gradients of [`layer_norm`](crate::reference::layer_norm) over `axes`.
///
/// ```text
/// dx = r (g - mean(g) - x_hat mean(g x_hat)),  r = 1 / sqrt(var + eps)
/// ```
///
/// Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, by the chain rule of Ioffe and Szegedy, "Batch
/// Normalization", 2015, section 3; `torch.nn.functional.layer_norm` and its autograd.
pub fn layer_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    over_axes(x, dy, shape, axes, weight_axes, weight, |values, g| {
        on_variance(values, g, eps)
    })
}

/// Gradients of [`rms_norm`](crate::reference::rms_norm) over `axes`.
///
/// ```text
/// dx = r (g - x_hat mean(g x_hat)),  r = 1 / sqrt(mean(x^2) + eps)
/// ```
///
/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, section 4.1; `torch.nn.RMSNorm`.
pub fn rms_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    over_axes(x, dy, shape, axes, weight_axes, weight, |values, g| {
        let r = 1.0 / (mean_square(values) + eps).sqrt();
        let x_hat: Vec<f64> = values.iter().map(|x| x * r).collect();
        let b = dot(g, &x_hat) / values.len() as f64;
        let dx = g.iter().zip(&x_hat).map(|(g, x_hat)| r * (g - x_hat * b)).collect();
        Segment { x_hat, dx }
    })
}

/// Gradients of [`z_score`](crate::reference::z_score) over `axes`.
///
/// ```text
/// dx = r (g - mean(g) - x_hat sum(g x_hat) / (n - ddof)),  r = 1 / sqrt(var + eps)
/// ```
///
/// and where var + eps is 0, dx = g - mean(g): the scale is 1 and stays so.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn z_score(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    ddof: u32,
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    over_axes(x, dy, shape, axes, weight_axes, weight, |values, g| {
        let (mean, var) = mean_variance(values, ddof);
        let n = values.len() as f64;
        let divisor = if n > f64::from(ddof) { n - f64::from(ddof) } else { n };
        let constant = var + eps == 0.0;
        let r = if constant { 1.0 } else { 1.0 / (var + eps).sqrt() };
        let x_hat: Vec<f64> = values.iter().map(|x| (x - mean) * r).collect();
        let a = g.iter().sum::<f64>() / n;
        let b = if constant { 0.0 } else { dot(g, &x_hat) / divisor };
        let dx = (g.iter().zip(&x_hat)).map(|(g, x_hat)| r * (g - a - x_hat * b));
        Segment {
            dx: dx.collect(),
            x_hat,
        }
    })
}

/// Gradients of [`mean_variance_norm`](crate::reference::mean_variance_norm) over `axes`.
///
/// ```text
/// dx = r (g - mean(g)) - x_hat mean(g x_hat) / std,  r = 1 / (std + eps),  std = sqrt(var)
/// ```
///
/// and dx = r (g - mean(g)) where std is 0.
pub fn mean_variance_norm(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    eps: f64,
) -> Gradient {
    over_axes(x, dy, shape, axes, weight_axes, weight, |values, g| {
        let (mean, var) = mean_variance(values, 0);
        let (n, std) = (values.len() as f64, var.sqrt());
        let r = 1.0 / (std + eps);
        let x_hat: Vec<f64> = values.iter().map(|x| (x - mean) * r).collect();
        let a = g.iter().sum::<f64>() / n;
        let b = if std == 0.0 { 0.0 } else { dot(g, &x_hat) / n / std };
        let dx = (g.iter().zip(&x_hat)).map(|(g, x_hat)| r * (g - a) - x_hat * b);
        Segment {
            dx: dx.collect(),
            x_hat,
        }
    })
}

/// `r (g - mean(g) - x_hat mean(g x_hat))` with `r = 1 / sqrt(var + eps)`.
pub(super) fn on_variance(values: &[f64], g: &[f64], eps: f64) -> Segment {
    let (mean, var) = mean_variance(values, 0);
    let (n, r) = (values.len() as f64, 1.0 / (var + eps).sqrt());
    let x_hat: Vec<f64> = values.iter().map(|x| (x - mean) * r).collect();
    let (a, b) = (g.iter().sum::<f64>() / n, dot(g, &x_hat) / n);
    let dx = (g.iter().zip(&x_hat)).map(|(g, x_hat)| r * (g - a - x_hat * b));
    Segment {
        dx: dx.collect(),
        x_hat,
    }
}

/// The gradients over `axes`, one segment per position of the others.
pub(super) fn over_axes(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    formula: impl Fn(&[f64], &[f64]) -> Segment,
) -> Gradient {
    check_shape(x, shape);
    let weight_len = weight_len(shape, weight_axes);
    over_segments(x, dy, segments(shape, axes, weight_axes), weight, weight_len, formula)
}

#[cfg(test)]
mod tests {
    use super::super::differences::{self, Random};
    use super::*;
    use crate::reference::{self, assert_close, naive};

    #[test]
    fn two_values_by_hand() {
        // x = 0 2: mean 1, var 1, eps 3, so r = 1/2 and x_hat = -1/2 1/2. With dy = 1 0: mean(g) = 1/2,
        // mean(g x_hat) = -1/4, dx = 1/2 (1/2 - 1/8), 1/2 (-1/2 + 1/8).
        let gradient = layer_norm(&[0.0, 2.0], &[1.0, 0.0], &[2], &[0], &[0], None, 3.0);
        assert_close(&gradient.dx, &[0.1875, -0.1875], 1e-16);
        assert_eq!(gradient.dweight, [-0.5, 0.0]);
        assert_eq!(gradient.dbias, [1.0, 0.0]);
        // x = 1 -1 under RMS: r = 1/2, x_hat = 1/2 -1/2, mean(g x_hat) = 1/4.
        let gradient = rms_norm(&[1.0, -1.0], &[1.0, 0.0], &[2], &[0], &[], None, 3.0);
        assert_close(&gradient.dx, &[0.4375, 0.0625], 1e-16);
        assert_eq!((gradient.dweight, gradient.dbias), (vec![0.5], vec![1.0]));
    }

    #[test]
    fn constant_segments_have_the_derivative_of_their_mean() {
        let (x, dy) = ([1234.1; 4], [1.0, 2.0, 3.0, 6.0]);
        let z = z_score(&x, &dy, &[4], &[0], 0, &[0], None, 0.0);
        assert_eq!(z.dx, [-2.0, -1.0, 0.0, 3.0]);
        assert_eq!(z.dweight, [0.0; 4]);
        let mvn = mean_variance_norm(&x, &dy, &[4], &[0], &[0], None, 0.5);
        assert_eq!(mvn.dx, [-4.0, -2.0, 0.0, 6.0]);
        let layer = layer_norm(&x, &dy, &[4], &[0], &[0], None, 0.25);
        assert_eq!(layer.dx, [-4.0, -2.0, 0.0, 6.0]);
        // A single value is its mean: nothing of it is left.
        assert_eq!(z_score(&[3.0], &[5.0], &[1], &[0], 1, &[], None, 0.0).dx, [0.0]);
    }

    #[test]
    fn all_axes_and_weights_against_differences() {
        let shape = [2, 3, 1, 3];
        let mut random = Random::new(1);
        for axes in naive::subsets(4) {
            for weight_axes in naive::subsets(4) {
                let len = weight_len(&shape, &weight_axes);
                // No two values are near each other: there the standard deviation bends sharply.
                let apart = |(i, x): (usize, f64)| (7 * i % 18) as f64 / 3.0 + 0.1 * x;
                let x: Vec<f64> = random.values(18).into_iter().enumerate().map(apart).collect();
                let dy = random.values(18);
                let (weight, bias) = (random.values(len), random.values(len));
                let weights = Some((&weight[..], &bias[..]));
                let (w, a, wa) = (Some(&weight[..]), &axes[..], &weight_axes[..]);
                differences::check(
                    &x,
                    &dy,
                    weights,
                    &layer_norm(&x, &dy, &shape, a, wa, w, 0.1),
                    |x, w, b| reference::layer_norm(x, &shape, a, wa, w, b, 0.1).y,
                );
                differences::check(
                    &x,
                    &dy,
                    weights,
                    &rms_norm(&x, &dy, &shape, a, wa, w, 0.1),
                    |x, w, b| reference::rms_norm(x, &shape, a, wa, w, b, 0.1).y,
                );
                for ddof in [0, 1] {
                    let gradient = z_score(&x, &dy, &shape, a, ddof, wa, w, 0.2);
                    differences::check(&x, &dy, weights, &gradient, |x, w, b| {
                        reference::z_score(x, &shape, a, ddof, wa, w, b, 0.2).y
                    });
                }
                // The standard deviation of a single value has no derivative: those are in the test above.
                if axes.iter().map(|&axis| shape[axis]).product::<usize>() > 1 {
                    let gradient = mean_variance_norm(&x, &dy, &shape, a, wa, w, 0.1);
                    differences::check(&x, &dy, weights, &gradient, |x, w, b| {
                        reference::mean_variance_norm(x, &shape, a, wa, w, b, 0.1).y
                    });
                }
            }
        }
    }

    #[test]
    fn without_eps_and_far_from_zero() {
        let mut random = Random::new(2);
        let x: Vec<f64> = random.values(12).iter().map(|x| x + 100.0).collect();
        let dy = random.values(12);
        let gradient = z_score(&x, &dy, &[4, 3], &[0], 1, &[1], None, 0.0);
        differences::check(&x, &dy, None, &gradient, |x, w, b| {
            reference::z_score(x, &[4, 3], &[0], 1, &[1], w, b, 0.0).y
        });
        let gradient = mean_variance_norm(&x, &dy, &[4, 3], &[0], &[1], None, 1e-9);
        differences::check(&x, &dy, None, &gradient, |x, w, b| {
            reference::mean_variance_norm(x, &[4, 3], &[0], &[1], w, b, 1e-9).y
        });
    }

    #[test]
    fn empty_tensors_have_no_gradient() {
        let gradient = layer_norm(&[], &[], &[0, 3], &[1], &[1], Some(&[1.0; 3]), 1e-5);
        assert!(gradient.dx.is_empty());
        assert_eq!((gradient.dweight, gradient.dbias), (vec![0.0; 3], vec![0.0; 3]));
        assert_eq!(z_score(&[], &[], &[0, 2], &[0], 0, &[1], None, 0.0).dbias, [0.0; 2]);
    }
}
