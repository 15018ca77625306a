//! The gradients of every normalization in plain f64.
//!
//! For a loss L, `dy = dL/dy` is given, and
//!
//! ```text
//! dweight[p] = sum(dy * x_hat)    dbias[p] = sum(dy)    over the elements whose weight is p
//! ```
//!
//! where `x_hat` is y without weight and bias. With `g = dy * weight` and `r` what a centered element is multiplied
//! by, every function says what dx is. They follow from the formulas of the forward functions by the chain rule, and
//! are compared with central differences of those in the tests.
//!
//! Where a formula has no derivative, it is that of PyTorch's autograd: 0 for `|x|` and for a norm at 0, an even share
//! for each of several largest elements. A constant segment, whose deviations are 0, has no derivative of its scale:
//! its contribution is 0. Everything else comes out as IEEE 754 has it.
//!
//! # Panics
//! As the [forward functions](super), and if `dy` is not as long as `x`.

mod centered;
mod channel;
#[cfg(test)]
mod differences;
mod lp;
mod response;

pub use centered::{layer_norm, mean_variance_norm, rms_norm, z_score};
pub use channel::{batch_norm, group_norm, instance_norm, with_statistics};
pub use lp::lp_normalize;
pub use response::local_response_norm;

/// The gradients of a loss with respect to the inputs of a normalization.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// With respect to x, in its memory order.
    pub dx: Vec<f64>,
    /// With respect to the weight, whether or not one is given: at a weight of 1 if not.
    pub dweight: Vec<f64>,
    /// With respect to the bias.
    pub dbias: Vec<f64>,
}

/// One segment as its formula sees it: what is to be found of each element.
struct Segment {
    x_hat: Vec<f64>,
    dx: Vec<f64>,
}

/// The gradients over `segments`, each of whose elements is a pair of an index into x and one into the weight.
/// `formula` takes x and g of a segment.
fn over_segments(
    x: &[f64],
    dy: &[f64],
    segments: impl Iterator<Item = Vec<(usize, usize)>>,
    weight: Option<&[f64]>,
    weight_len: usize,
    formula: impl Fn(&[f64], &[f64]) -> Segment,
) -> Gradient {
    assert_eq!(dy.len(), x.len(), "elements of dy");
    if let Some(weight) = weight {
        assert_eq!(weight.len(), weight_len, "elements of weight");
    }
    let mut gradient = Gradient {
        dx: vec![0.0; x.len()],
        dweight: vec![0.0; weight_len],
        dbias: vec![0.0; weight_len],
    };
    for places in segments {
        let values: Vec<f64> = places.iter().map(|&(element, _)| x[element]).collect();
        let weighted = |&(element, p): &(usize, usize)| dy[element] * weight.map_or(1.0, |weight| weight[p]);
        let g: Vec<f64> = places.iter().map(weighted).collect();
        let Segment { x_hat, dx } = formula(&values, &g);
        for (i, (element, p)) in places.into_iter().enumerate() {
            gradient.dx[element] = dx[i];
            gradient.dweight[p] += dy[element] * x_hat[i];
            gradient.dbias[p] += dy[element];
        }
    }
    gradient
}

/// `sum(a * b)`.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
