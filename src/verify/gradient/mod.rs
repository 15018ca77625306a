//! The backward pass of a case: what it should give, how exact it must be, and the verdict on a run.

mod expected;
mod judge;
mod run;
mod tolerance;

pub use judge::{GradientOutcome, judge_gradients};
pub use run::{run_backward, run_backward_from_output};
pub use tolerance::{GradientTolerances, gradient_tolerances};

use fastrand::Rng;

use super::case::Case;
use super::cases::{Scale, cases};
use super::values::normal;
use crate::Gradients;

/// The [`cases`] with a dy each, but for those without a place for dx: an x whose elements share one.
pub fn gradient_cases(scale: Scale) -> Vec<Case> {
    let cases = cases(scale).into_iter().filter(Case::has_place_for_dx);
    cases.enumerate().map(|(i, case)| case.with_dy(i as u64)).collect()
}

impl Case {
    /// The case with a dy of normal numbers about 0.5, always the same for the same `seed`: their mean is not 0, so that
    /// the terms that subtract it count.
    pub fn with_dy(self, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0xd1);
        Self {
            dy: Some(self.x.iter().map(|_| 0.5 + normal(&mut rng)).collect()),
            ..self
        }
    }

    /// The gradients that the case has: dx, and those of the weight and the bias that it has.
    pub fn gradients(&self) -> Gradients {
        Gradients {
            dx: true,
            dweight: self.weight.is_some(),
            dbias: self.bias.is_some(),
            accumulate: false,
            from_output: false,
        }
    }

    /// True if no two elements of x share a place, so that dx can lie as x does.
    pub fn has_place_for_dx(&self) -> bool {
        let strides = self.input_strides.iter().flatten().zip(&self.shape);
        strides.into_iter().all(|(&stride, &extent)| stride > 0 || extent <= 1)
    }
}
