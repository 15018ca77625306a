//! Backward passes under judgement.

use wgnorm::verify::{Arrangement, Case, GradientOutcome, judge_gradients, run_backward};
use wgnorm::{Context, ErrorKind, Result, Variant};

/// Why the backward pass of a case fails; none if it passes, or if a forced variant has none.
pub fn failure(context: &Context, case: &Case, variant: Option<Variant>, arrangement: Arrangement) -> Option<String> {
    match pollster::block_on(run_backward(context, case, variant, arrangement)) {
        Err(error) if variant.is_some() && error.kind() == ErrorKind::Variant => None,
        outcome => failure_of(case, variant, arrangement, outcome),
    }
}

/// Why an outcome is none of the backward pass of a case; none if it is.
pub fn failure_of(
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
    outcome: Result<GradientOutcome>,
) -> Option<String> {
    let chosen = variant.map_or("planner's choice", Variant::name);
    let reason = match outcome {
        Ok(outcome) => {
            let verdict = judge_gradients(case, &outcome);
            if verdict.passed() {
                return None;
            }
            verdict.failures.join("; ")
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{} [{chosen}, {}] {reason}", case.id, arrangement.name()))
}
