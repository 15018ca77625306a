//! Central differences of the forward functions, for tests.

use super::Gradient;

/// Uniform numbers between -1 and 1, the same for the same seed.
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub fn values(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| 2.0 * self.0.f64() - 1.0).collect()
    }
}

/// Half the distance of the two points: with the fourth-order formula below its error and that of rounding are both
/// about 1e-11 of derivatives near 1.
const STEP: f64 = 1e-3;

/// Compares a gradient with differences of the loss `sum(dy * y)`, where `forward` makes y of x, weight and bias. Without
/// `weights` those of x alone are taken.
#[track_caller]
pub(super) fn check(
    x: &[f64],
    dy: &[f64],
    weights: Option<(&[f64], &[f64])>,
    gradient: &Gradient,
    forward: impl Fn(&[f64], Option<&[f64]>, Option<&[f64]>) -> Vec<f64>,
) {
    let loss = |y: Vec<f64>| dy.iter().zip(y).map(|(dy, y)| dy * y).sum::<f64>();
    let Some((weight, bias)) = weights else {
        return compare("dx", &gradient.dx, x, |x| loss(forward(x, None, None)));
    };
    compare("dx", &gradient.dx, x, |x| loss(forward(x, Some(weight), Some(bias))));
    compare("dweight", &gradient.dweight, weight, |weight| {
        loss(forward(x, Some(weight), Some(bias)))
    });
    compare("dbias", &gradient.dbias, bias, |bias| {
        loss(forward(x, Some(weight), Some(bias)))
    });
}

#[track_caller]
fn compare(name: &str, derivatives: &[f64], at: &[f64], loss: impl Fn(&[f64]) -> f64) {
    assert_eq!(derivatives.len(), at.len(), "elements of {name}");
    for (i, &derivative) in derivatives.iter().enumerate() {
        let moved = |step: f64| {
            let mut moved = at.to_vec();
            moved[i] += step;
            loss(&moved)
        };
        let central = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
        // Richardson's extrapolation: the error of second order cancels.
        let difference = (4.0 * central(STEP / 2.0) - central(STEP)) / 3.0;
        let allowed = 1e-6 * derivative.abs().max(1.0);
        assert!(
            (derivative - difference).abs() <= allowed,
            "{name} {i}: {derivative} is not the difference {difference}"
        );
    }
}
