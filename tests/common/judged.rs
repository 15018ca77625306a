//! Runs under judgement.

use wgnorm::verify::{Case, judge, run};
use wgnorm::{Context, Variant};

/// Why a case fails with the planner's choice of variant or a forced one; none if it passes.
pub fn failure(context: &Context, case: &Case, variant: Option<Variant>) -> Option<String> {
    let chosen = variant.map_or("planner's choice", Variant::name);
    let reason = match pollster::block_on(run(context, case, variant)) {
        Ok(outcome) if variant.is_some() && outcome.variant != variant => format!("ran {:?} instead", outcome.variant),
        Ok(outcome) => {
            let verdict = judge(case, &outcome);
            if verdict.passed() {
                return None;
            }
            verdict.failures.join("; ")
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{} [{chosen}] {reason}", case.id))
}
