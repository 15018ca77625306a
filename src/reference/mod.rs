//! The oracle: every normalization in plain f64, one obvious loop nest per formula.
//!
//! Tensors are dense slices in memory order. Each segment is gathered, its statistics are taken in two passes
//! (the mean; then the mean of the squared deviations from it), and its elements are mapped one by one. Nothing
//! here is shared with the kernels or with [`geometry`](crate::geometry), so that an error in those cannot hide.
//! There is no handling of special values: an infinity, a NaN or a division by zero comes out as IEEE 754 has it,
//! and the statistics of an empty segment are NaN, but for its norm, which is 0.
//!
//! # Panics
//! Every function panics if the length of a slice does not fit the shape, if an axis is out of range, if the
//! groups do not divide the channels, or if p or the size of a window is not positive: an oracle has no answer to a
//! question that is not one. The operations themselves, from [`LayerNorm`](crate::LayerNorm) to
//! [`ZScore`](crate::ZScore), return errors instead.

mod axes;
mod channel;
pub mod gradient;
mod layer;
mod lp;
mod moments;
#[cfg(test)]
mod naive;
mod response;
mod running;

pub use axes::{mean_variance_norm, z_score};
pub use channel::{batch_norm, group_norm, instance_norm, with_statistics};
pub use layer::{layer_norm, rms_norm};
pub use lp::{ZeroNorm, lp_normalize};
pub use response::local_response_norm;
pub use running::{unbiased_variance, update_running};

/// What a normalization makes of a tensor. The statistics have one value per segment, in row-major order of the
/// kept axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The normalized tensor, in the memory order of x.
    pub y: Vec<f64>,
    /// Means; 0 for [`rms_norm`] and [`lp_normalize`].
    pub mean: Vec<f64>,
    /// Variances, with divisor n - ddof (ddof is 0 but for [`z_score`]); mean squares for [`rms_norm`]; norms for
    /// [`lp_normalize`].
    pub var: Vec<f64>,
    /// What the centered elements were multiplied by; x itself for [`rms_norm`] and [`lp_normalize`].
    pub rstd: Vec<f64>,
}

impl Output {
    fn new(elements: usize) -> Self {
        Self {
            y: vec![0.0; elements],
            mean: Vec::new(),
            var: Vec::new(),
            rstd: Vec::new(),
        }
    }

    /// Normalizes the next segment of `x`, whose elements are `places`: pairs of an index into x and an index
    /// into weight and bias. `statistics` gives mean and variance, `scale` makes rstd of the variance.
    fn push_segment(
        &mut self,
        x: &[f64],
        places: impl Iterator<Item = (usize, usize)> + Clone,
        statistics: impl Fn(&[f64]) -> (f64, f64),
        scale: impl Fn(f64) -> f64,
        parameters: Parameters<'_>,
    ) {
        let values: Vec<f64> = places.clone().map(|(element, _)| x[element]).collect();
        let (mean, var) = statistics(&values);
        let rstd = scale(var);
        for (value, (element, parameter)) in values.into_iter().zip(places) {
            self.y[element] = parameters.apply((value - mean) * rstd, parameter);
        }
        self.mean.push(mean);
        self.var.push(var);
        self.rstd.push(rstd);
    }
}

/// The affine map of an operation; an absent weight is 1, an absent bias 0.
#[derive(Clone, Copy)]
struct Parameters<'a> {
    weight: Option<&'a [f64]>,
    bias: Option<&'a [f64]>,
}

impl<'a> Parameters<'a> {
    /// Weight and bias, which must have `len` elements where they are given.
    fn new(weight: Option<&'a [f64]>, bias: Option<&'a [f64]>, len: usize) -> Self {
        for (name, values) in [("weight", weight), ("bias", bias)] {
            if let Some(values) = values {
                assert_eq!(values.len(), len, "elements of {name}");
            }
        }
        Self { weight, bias }
    }

    fn apply(&self, x_hat: f64, index: usize) -> f64 {
        x_hat * self.weight.map_or(1.0, |weight| weight[index]) + self.bias.map_or(0.0, |bias| bias[index])
    }
}

/// `1 / sqrt(var + eps)`: how most operations make rstd.
fn rstd(eps: f64) -> impl Fn(f64) -> f64 {
    move |var| 1.0 / (var + eps).sqrt()
}

fn check_shape(x: &[f64], shape: &[usize]) {
    assert_eq!(x.len(), shape.iter().product::<usize>(), "elements of x");
}

#[cfg(test)]
#[track_caller]
fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let same = (a.is_nan() && e.is_nan()) || a == e || (a - e).abs() <= tolerance;
        assert!(same, "element {i}: {a} is not {e}");
    }
}
