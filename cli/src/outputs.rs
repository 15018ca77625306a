//! Outputs by their names in conformance cases.

use wgnorm::verify::Expected;

use crate::verify::Outcomes;

/// The values of an output; `None` where nothing computes it.
pub fn values(outcomes: &Outcomes, name: &str) -> Option<Vec<f64>> {
    let (outcome, backward) = (&outcomes.forward, outcomes.backward.as_ref());
    let widen = |values: &[f32]| values.iter().copied().map(f64::from).collect();
    match name {
        "y" => Some(widen(&outcome.y)),
        "mean" => Some(outcome.records.iter().map(|record| record.mean()).collect()),
        "rstd" => Some(outcome.records.iter().map(|record| record.rstd()).collect()),
        "new_running_mean" => outcome.running_mean.as_deref().map(widen),
        "new_running_var" => outcome.running_var.as_deref().map(widen),
        "dx" => backward?.dx.as_deref().map(widen),
        "dweight" => backward?.dweight.as_deref().map(widen),
        "dbias" => backward?.dbias.as_deref().map(widen),
        _ => None,
    }
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
