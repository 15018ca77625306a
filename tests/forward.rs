//! Every operation and candidate variant against the f64 reference, on ordinary and hostile values.

mod common;
#[path = "common/judged.rs"]
mod judged;

use common::context;
use judged::failure;
use wgnorm::verify::{Case, Scale, cases};
use wgnorm::{Context, DeviceTraits, Variant};

const OPERATIONS: [&str; 7] = [
    "layer_norm",
    "rms_norm",
    "batch_norm",
    "instance_norm",
    "group_norm",
    "z_score",
    "mean_variance_norm",
];

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
    let context = context().with_traits(DeviceTraits {
        subgroup_size: None,
        ..*context().traits()
    });
    for operation in ["layer_norm", "batch_norm", "group_norm"] {
        check(&context, operation);
    }
}

/// The other row of the tuning table, whatever the adapter.
#[test]
fn as_on_the_other_kind_of_adapter() {
    let context = context().with_traits(DeviceTraits {
        software: !context().traits().software,
        ..*context().traits()
    });
    for operation in OPERATIONS {
        check(&context, operation);
    }
}

#[test]
fn as_on_the_other_kind_of_adapter_without_subgroups() {
    let context = context().with_traits(DeviceTraits {
        software: !context().traits().software,
        subgroup_size: None,
        ..*context().traits()
    });
    for operation in OPERATIONS {
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
