//! What tests and programs check wgnorm with: cases, expectations, poisoned runs and comparison.
//!
//! A [`Case`] holds the inputs of one normalization. [`cases`] makes ordinary and hostile ones, a conformance
//! runner makes its own. [`run`] computes a case on a device, [`Case::expected`] computes it with the f64
//! [`reference`](crate::reference), and [`judge`] compares the two under the tolerances that [`tolerances`]
//! derives. Unlike the rest of the crate, [`run`] and the helpers of [`transfer`] submit, poll and map: they are
//! for programs and tests that wait for results anyway.

mod arrangement;
mod case;
mod cases;
mod compare;
mod expected;
mod forms;
mod gradient;
mod judge;
mod run;
mod tolerance;
pub mod transfer;
mod values;

pub use arrangement::Arrangement;
pub use case::{Case, Norm, Running, Update};
pub use cases::{Scale, cases};
pub use compare::{Comparison, Tolerance, compare};
pub use expected::Expected;
pub use gradient::{
    GradientOutcome, GradientTolerances, gradient_cases, gradient_tolerances, judge_gradients, run_backward,
    run_backward_from_output,
};
pub use judge::{TensorVerdict, Verdict, judge};
pub use run::{Outcome, run, run_arranged};
pub use tolerance::{Tolerances, tolerances};
pub use values::Values;
