//! What every plan promises, whatever the shape, the operation, the views and the device: checked without one.
//!
//! `WGNORM_PROPERTY_CASES` asks for more cases than usual, `WGNORM_PROPERTY_SEED` for others.

mod backward;
mod bounds;
mod expected;
mod machine;
mod memory;
#[path = "../common/random.rs"]
mod random;
mod scenario;
mod views;
mod walk;

use proptest::prelude::*;
use wgnorm::geometry::span;
use wgnorm::plan::{Facts, Recipe, Role, candidates};
use wgnorm::spec::{Operation, Statistic};
use wgnorm::{BatchNorm, DeviceTraits, ErrorKind, LayerNorm, Normalization, Tuning, Variant};

use bounds::{TRIP_LIMIT, trips};
use expected::Expected;
use scenario::{Scenario, rows, scenario};

/// Larger tensors are planned, but not carried out.
const WALKED: u64 = 1 << 12;

/// Words from the first to the last element of those that are carried out.
const SPANNED: u64 = 1 << 16;

fn config() -> ProptestConfig {
    ProptestConfig {
        max_shrink_iters: 4096,
        ..random::config(20_000)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_plan_keeps_its_promises(scenario in scenario()) {
        if let Some(scenario) = &scenario {
            check(scenario);
            backward::check(scenario);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 10, ..config() })]

    #[test]
    fn plans_of_rows_that_begin_anywhere_do_too(scenario in rows()) {
        check(&scenario);
    }
}

fn check(scenario: &Scenario) {
    let Scenario {
        operation,
        traits,
        tuning,
        facts,
        ..
    } = scenario;
    let walked = elements(operation) <= WALKED
        && span(&operation.axes, |axis| axis.x).max(span(&operation.axes, |axis| axis.y)) <= SPANNED;
    let expected = (walked && elements(operation) > 0).then(|| Expected::new(scenario));
    let mut operations = vec![operation.clone()];
    match candidates(operation, traits, tuning, facts) {
        Ok(variants) => {
            assert!(!variants.is_empty());
            operations.extend(variants.into_iter().map(|variant| Operation {
                variant: Some(variant),
                ..operation.clone()
            }));
        }
        Err(error) => check_error(scenario, &error),
    }
    for operation in &operations {
        match Recipe::new(operation, traits, tuning, facts) {
            Ok(recipe) => {
                assert!(!scenario.lacks_stage());
                if elements(operation) == 0 {
                    assert!(recipe.steps.is_empty() && recipe.workspace == 0);
                    continue;
                }
                if let (Some(forced), Some(variant)) = (operation.variant, recipe.variant) {
                    assert_eq!(variant, forced);
                }
                bounds::check(scenario, &recipe);
                if let Some(expected) = &expected {
                    machine::run(scenario, expected, &recipe);
                }
            }
            Err(error) => check_error(scenario, &error),
        }
    }
}

/// Plans fail only where they have to.
fn check_error(scenario: &Scenario, error: &wgnorm::Error) {
    let (operation, traits) = (&scenario.operation, &scenario.traits);
    let elements = elements(operation);
    if scenario.lacks_stage() {
        assert_eq!(error.kind(), ErrorKind::Parameter, "{error}");
        return;
    }
    // Enough for a binding of anything but x and y, which are cut: moments of as many parts as there are elements.
    let roomy = traits.binding_size >= 32 * elements + 1024;
    // A window is not cut.
    let window = match operation.statistic {
        Statistic::Window(window) => {
            let stride = operation.axes.iter().find(|axis| axis.reduced).map_or(0, |axis| axis.x);
            4 * u64::from(window.left + window.right) * u64::from(stride)
        }
        _ => 0,
    };
    let limited = elements > WALKED || !roomy || traits.storage_buffers < 8 || window + 1024 > traits.binding_size;
    assert!(
        matches!(error.kind(), ErrorKind::Overflow | ErrorKind::Limit) && limited,
        "{error}"
    );
}

fn elements(operation: &Operation) -> u64 {
    operation.axes.iter().map(|axis| u64::from(axis.extent)).product()
}

/// Segments in two pieces, whose columns are each a part: a workgroup combines those of one piece, but not of both.
#[test]
fn pieces_of_more_parts_than_are_combined_are_not_split_across() {
    let mut operation = BatchNorm::new(&[40, 2, 3_000_000]).operation().unwrap();
    let traits = |binding_size| DeviceTraits {
        binding_size,
        ..DeviceTraits::minimal(true)
    };
    let facts = Facts::default();
    let possible = |binding_size| {
        let candidates = candidates(&operation, &traits(binding_size), &Tuning::SOFTWARE, &facts).unwrap();
        candidates.contains(&Variant::ColumnSplit)
    };
    assert!(possible(1 << 30) && !possible(600 << 20));
    operation.variant = Some(Variant::ColumnSplit);
    assert!(Recipe::new(&operation, &traits(1 << 30), &Tuning::SOFTWARE, &facts).is_ok());
    let refused = Recipe::new(&operation, &traits(600 << 20), &Tuning::SOFTWARE, &facts);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Variant);
}

#[test]
fn merges_are_bounded_too() {
    let operation = LayerNorm::new(&[1, 1]).operation().unwrap();
    let traits = DeviceTraits::minimal(true);
    let merge = |parts, facts: &Facts| Recipe::merge(&operation, parts, &traits, &Tuning::SOFTWARE, facts);
    let many = 32 * TRIP_LIMIT as u32;
    let aligned = Facts::default();
    assert!(trips(&merge(many, &aligned).unwrap().steps[0]) <= TRIP_LIMIT);
    assert_eq!(merge(3 * many, &aligned).unwrap_err().kind(), ErrorKind::Limit);
    // At odd places, moments are copied first, and what they merge to last.
    let mut odd = aligned;
    for role in [Role::Moments, Role::Merged] {
        odd.offsets[role as usize] = 3;
        odd.staged.insert(role);
    }
    let recipe = merge(many, &odd).unwrap();
    assert_eq!(recipe.steps.len(), 3);
    assert_eq!(recipe.workspace, 32 * u64::from(many) + 32);
}
