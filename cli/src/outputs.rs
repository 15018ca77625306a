//! Outputs by their names in conformance cases.

use wgnorm::verify::{Expected, GradientOutcome, Outcome};

/// The values of an output; `None` where nothing computes it.
pub fn values(outcome: &Outcome, name: &str) -> Option<Vec<f64>> {
    let widen = |values: &[f32]| values.iter().copied().map(f64::from).collect();
    match name {
        "y" => Some(widen(&outcome.y)),
        "mean" => Some(outcome.records.iter().map(|record| record.mean()).collect()),
        "rstd" => Some(outcome.records.iter().map(|record| record.rstd()).collect()),
        "new_running_mean" => outcome.running_mean.as_deref().map(widen),
        "new_running_var" => outcome.running_var.as_deref().map(widen),
        _ => None,
    }
}

/// The values of a gradient; `None` where it was not asked for.
pub fn gradient(outcome: &GradientOutcome, name: &str) -> Option<Vec<f64>> {
    let values = match name {
        "dx" => outcome.dx.as_deref(),
        "dweight" => outcome.dweight.as_deref(),
        "dbias" => outcome.dbias.as_deref(),
        _ => None,
    };
    Some(values?.iter().copied().map(f64::from).collect())
}

/// The reference of an output.
pub fn reference<'a>(expected: &'a Expected, name: &str) -> Option<&'a [f64]> {
    match name {
        "y" => Some(&expected.y),
        "mean" => expected.mean.as_deref(),
        "rstd" => expected.rstd.as_deref(),
        "new_running_mean" => expected.running_mean.as_deref(),
        "new_running_var" => expected.running_var.as_deref(),
        "dx" => expected.dx.as_deref(),
        "dweight" => expected.dweight.as_deref(),
        "dbias" => expected.dbias.as_deref(),
        _ => None,
    }
}
