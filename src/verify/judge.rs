//! The verdict on a run: every output against the reference, and the promises that are not about numbers.

use super::case::Case;
use super::compare::{Comparison, Tolerance, compare};
use super::expected::Expected;
use super::run::Outcome;
use super::tolerance::tolerances;

/// How one output tensor did.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorVerdict {
    /// `"y"`, `"mean"`, `"rstd"`, `"running_mean"`, `"running_var"`, `"dx"`, `"dweight"` or `"dbias"`.
    pub name: &'static str,
    /// Against the reference.
    pub comparison: Comparison,
    /// The tolerance applied.
    pub tolerance: Tolerance,
}

/// How a run of a case did.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Every output that the case has.
    pub tensors: Vec<TensorVerdict>,
    /// Why the run failed; empty if it passed.
    pub failures: Vec<String>,
}

impl Verdict {
    /// True if nothing failed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Judges a run under the tight [`tolerances`].
///
/// Outputs must agree with the reference, or all of them with that of [`Case::flushed`]; they must not depend on
/// what output buffers and workspace held before; and a case with elements must have dispatched something.
pub fn judge(case: &Case, outcome: &Outcome) -> Verdict {
    let tensors = judge_either(case, |case| judge_tensors(case, outcome));
    let mut failures = failures(&tensors, outcome.bits_stable, outcome.stray_writes);
    if outcome.dispatches == 0 && !case.x.is_empty() {
        failures.push("nothing was dispatched".into());
    }
    Verdict { tensors, failures }
}

/// The verdicts of `judge_tensors` on the case, or on the flushed one if all of those pass.
pub(super) fn judge_either(case: &Case, judge_tensors: impl Fn(&Case) -> Vec<TensorVerdict>) -> Vec<TensorVerdict> {
    let passes = |tensors: &[TensorVerdict]| tensors.iter().all(|tensor| tensor.comparison.passed);
    let tensors = judge_tensors(case);
    let alternative = (!passes(&tensors)).then(|| case.flushed().as_ref().map(&judge_tensors));
    alternative
        .flatten()
        .filter(|tensors| passes(tensors))
        .unwrap_or(tensors)
}

/// Why a run failed, forward or backward, by its tensors and by what it wrote.
pub(super) fn failures(tensors: &[TensorVerdict], bits_stable: bool, stray_writes: usize) -> Vec<String> {
    let mut failures: Vec<String> = (tensors.iter().filter(|tensor| !tensor.comparison.passed))
        .map(TensorVerdict::describe)
        .collect();
    if !bits_stable {
        failures.push("results depend on what the outputs or the workspace held before".into());
    }
    if stray_writes > 0 {
        failures.push(format!("{stray_writes} words beside the outputs were changed"));
    }
    failures
}

impl TensorVerdict {
    fn describe(&self) -> String {
        let Comparison {
            max_abs_err,
            max_rel_err,
            nonfinite_mismatch,
            ..
        } = self.comparison;
        let Tolerance { rtol, atol } = self.tolerance;
        format!(
            "{}: off by {max_abs_err:.3e} ({max_rel_err:.3e} of the reference), allowed {atol:.3e} + {rtol:.3e} |reference|, \
             {nonfinite_mismatch} elements wrongly finite, wrongly not finite or missing",
            self.name
        )
    }
}

fn judge_tensors(case: &Case, outcome: &Outcome) -> Vec<TensorVerdict> {
    let expected: Expected = case.expected();
    let limits = tolerances(case, &expected);
    let widen = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let means = outcome.records.iter().map(|record| record.mean()).collect();
    let rstds = outcome.records.iter().map(|record| record.rstd()).collect();
    let running = |values: &Option<Vec<f32>>| widen(values.as_deref().unwrap_or_default());
    [
        ("y", widen(&outcome.y), Some(expected.y), limits.y),
        ("mean", means, expected.mean, limits.mean),
        ("rstd", rstds, expected.rstd, limits.rstd),
        (
            "running_mean",
            running(&outcome.running_mean),
            expected.running_mean,
            limits.running_mean,
        ),
        (
            "running_var",
            running(&outcome.running_var),
            expected.running_var,
            limits.running_var,
        ),
    ]
    .into_iter()
    .filter_map(|(name, actual, expected, tolerance)| {
        Some(TensorVerdict {
            name,
            comparison: compare(actual, &expected?, &tolerance),
            tolerance,
        })
    })
    .collect()
}
