//! Runs under judgement.

use wgnorm::verify::{Arrangement, Case, judge, run_arranged};
use wgnorm::{Context, ErrorKind, Variant};

/// Why a case fails with the planner's choice of variant or a forced one; none if it passes.
#[allow(dead_code)]
pub fn failure(context: &Context, case: &Case, variant: Option<Variant>) -> Option<String> {
    arranged_failure(context, case, variant, Arrangement::Plain)
}

/// As [`failure`], with the tensors held in another way.
pub fn arranged_failure(
    context: &Context,
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
) -> Option<String> {
    let chosen = variant.map_or("planner's choice", Variant::name);
    let outcome = pollster::block_on(run_arranged(context, case, variant, arrangement));
    let reason = match outcome {
        Ok(outcome) if variant.is_some() && outcome.variant != variant => format!("ran {:?} instead", outcome.variant),
        Ok(outcome) => {
            let verdict = judge(case, &outcome);
            if verdict.passed() {
                return None;
            }
            verdict.failures.join("; ")
        }
        // Candidates are those of aligned offsets: a forced variant may be refused at odd ones.
        Err(error) if variant.is_some() && error.kind() == ErrorKind::Variant && arrangement != Arrangement::Plain => {
            return None;
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{} [{chosen}, {}] {reason}", case.id, arrangement.name()))
}
