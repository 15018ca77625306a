//! Every operation and candidate variant against the f64 reference, on ordinary and hostile values.

mod common;

use common::context;
use wgnorm::verify::{Case, Scale, cases, judge, run};
use wgnorm::{Context, Variant};

/// Runs the cases of one operation with every variant that can, and reports all that fail.
fn check(context: &Context, operation: &str) {
    let mut failures = Vec::new();
    let cases: Vec<Case> = (cases(Scale::Smoke).into_iter())
        .filter(|case| case.name() == operation)
        .collect();
    assert!(!cases.is_empty(), "no case of {operation}");
    for case in &cases {
        let candidates = case.operation().and_then(|operation| operation.candidates(context));
        // With given statistics there is nothing to choose.
        let forced = candidates.unwrap().into_iter().filter(|_| !case.norm.uses_running());
        for variant in [None].into_iter().chain(forced.map(Some)) {
            failures.extend(failure(context, case, variant));
        }
    }
    assert!(
        failures.is_empty(),
        "{} runs failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn failure(context: &Context, case: &Case, variant: Option<Variant>) -> Option<String> {
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

#[test]
fn layer_norm() {
    check(context(), "layer_norm");
}

#[test]
fn rms_norm() {
    check(context(), "rms_norm");
}

#[test]
fn batch_norm() {
    check(context(), "batch_norm");
}

#[test]
fn instance_norm() {
    check(context(), "instance_norm");
}

#[test]
fn group_norm() {
    check(context(), "group_norm");
}

#[test]
fn z_score() {
    check(context(), "z_score");
}

#[test]
fn mean_variance_norm() {
    check(context(), "mean_variance_norm");
}

#[test]
fn without_subgroups() {
    let mut traits = *context().traits();
    traits.subgroup_size = None;
    let context = context().with_traits(traits);
    for operation in ["layer_norm", "batch_norm", "group_norm"] {
        check(&context, operation);
    }
}

#[test]
fn more_segments_than_workgroups_in_one_dimension() {
    let mut traits = *context().traits();
    traits.workgroups_per_dimension = 3;
    let context = context().with_traits(traits);
    let case = (cases(Scale::Smoke).into_iter())
        .find(|case| case.name() == "rms_norm")
        .unwrap();
    for variant in [Variant::Lane, Variant::Workgroup] {
        assert_eq!(failure(&context, &case, Some(variant)), None);
    }
}
