//! What every plan promises, whatever the shape, the operation, the bindings and the device: checked without one.

mod scenario;
mod walk;

use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use scenario::{Scenario, scenario};
use walk::Walk;
use wgnorm::plan::{Facts, Offsets, Operand, Recipe, Step, candidates};
use wgnorm::shader::{Kernel, Parameters, Slot, Unit};
use wgnorm::spec::Operation;
use wgnorm::{DeviceTraits, ErrorKind, LayerNorm, Normalization, Tuning};

/// Larger tensors are planned, but not walked over.
const WALKED: u64 = 1 << 12;

/// Where llvmpipe stops, counted over all loops of an invocation.
const TRIP_LIMIT: u64 = 65_535;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn every_plan_keeps_its_promises(scenario in scenario()) {
        let Scenario { operation, traits, tuning, facts } = &scenario;
        let mut operations = vec![operation.clone()];
        let variants = candidates(operation, traits, tuning, facts.offsets).expect("candidates");
        prop_assert!(!variants.is_empty());
        operations.extend(variants.into_iter().map(|variant| Operation { variant: Some(variant), ..operation.clone() }));
        for operation in &operations {
            match Recipe::new(operation, traits, tuning, facts) {
                Ok(recipe) => check(&scenario, operation, &recipe),
                // Too many moments or workgroups for 32 bits or the device.
                Err(error) => prop_assert!(
                    matches!(error.kind(), ErrorKind::Overflow | ErrorKind::Limit) && elements(operation) > WALKED,
                    "{:?}: {error}", operation.variant
                ),
            }
        }
    }
}

#[test]
fn merges_are_bounded_too() {
    let operation = LayerNorm::new(&[1, 1]).operation().unwrap();
    let traits = DeviceTraits::minimal(true);
    let merge = |parts| Recipe::merge(&operation, parts, &traits, &Tuning::SOFTWARE, &Facts::default());
    let many = 32 * TRIP_LIMIT as u32;
    assert!(trips(&merge(many).unwrap().steps[0]) <= TRIP_LIMIT);
    assert_eq!(merge(3 * many).unwrap_err().kind(), ErrorKind::Limit);
}

fn elements(operation: &Operation) -> u64 {
    operation.axes.iter().map(|axis| u64::from(axis.extent)).product()
}

fn check(scenario: &Scenario, operation: &Operation, recipe: &Recipe) {
    if let (Some(forced), Some(variant)) = (operation.variant, recipe.variant) {
        assert_eq!(variant, forced);
    }
    check_workspace(recipe);
    for (i, step) in recipe.steps.iter().enumerate() {
        check_limits(scenario, step);
        if elements(operation) <= WALKED && step.header.bindings().iter().any(|b| b.slot == Slot::X) {
            check_walk(operation, scenario.facts.offsets, step, recipe.steps.get(i + 1));
        }
    }
}

fn check_limits(scenario: &Scenario, step: &Step) {
    let (header, traits) = (&step.header, &scenario.traits);
    let per_dimension = u64::from(traits.workgroups_per_dimension);
    assert!(step.bindings.len() as u32 <= traits.storage_buffers, "{header:?}");
    assert!(
        (1..=per_dimension * per_dimension).contains(&step.workgroups),
        "{header:?}"
    );
    assert!(header.workgroup <= traits.workgroup_invocations, "{header:?}");
    assert!(
        header.lanes <= header.workgroup && header.workgroup.is_multiple_of(header.lanes),
        "{header:?}"
    );
    assert!(trips(step) <= TRIP_LIMIT, "{} trips of {step:?}", trips(step));
    assert_eq!(step.params.zero, 0);
}

/// Loop iterations of the busiest invocation at worst: every chunk is read four times, then y is written.
fn trips(step: &Step) -> u64 {
    let (header, p) = (&step.header, &step.params);
    let share = |units: u32| u64::from(units.div_ceil(header.lanes));
    // Shorter chunks than those of any unit.
    let accumulated = |units: u64| 4 * units + 5 * units.div_ceil(16) + 16;
    match header.kernel {
        Kernel::Lane | Kernel::Column => accumulated(share(p.units)) + share(p.units),
        Kernel::ShortRows | Kernel::Resident => u64::from(header.rows) * (8 * u64::from(header.units) + 16),
        Kernel::Partial => accumulated(share(p.span_units)),
        Kernel::Apply => share(p.span_units),
        Kernel::Finish => share(p.parts),
        Kernel::Running => u64::from(p.instances),
        Kernel::Given => 0,
    }
}

/// Every region lies inside the workspace, no two overlap, and what a step reads an earlier one wrote.
fn check_workspace(recipe: &Recipe) {
    let mut written: Vec<Range<u64>> = Vec::new();
    for step in &recipe.steps {
        for (binding, operand) in &step.bindings {
            let &Operand::Workspace { offset, size } = operand else {
                continue;
            };
            let region = offset..offset + size;
            assert!(offset.is_multiple_of(256) && region.end <= recipe.workspace && size > 0);
            let items = match binding.slot {
                Slot::Records => size / 16,
                _ => size / 32,
            };
            assert_eq!(items, items_of(step, binding.slot), "{:?} of {step:?}", binding.slot);
            let overlaps = |other: &Range<u64>| other.start < region.end && region.start < other.end;
            if binding.written {
                assert!(!written.iter().any(overlaps), "{recipe}");
                written.push(region);
            } else {
                assert!(written.contains(&region), "{recipe}");
            }
        }
    }
}

/// Records or moments that a step reads or writes in its binding of `slot`.
fn items_of(step: &Step, slot: Slot) -> u64 {
    let p = &step.params;
    let segments = u64::from(p.segments) * u64::from(step.header.unit.segments());
    match (step.header.kernel, slot) {
        (Kernel::Partial, _) => u64::from(p.spans) * u64::from(p.parts_stride),
        (Kernel::Finish, Slot::Parts) => u64::from(p.parts / p.parts_group) * u64::from(p.parts_stride),
        (Kernel::Running, _) => segments * u64::from(p.instances),
        // Running statistics: one record for all samples of a channel.
        (Kernel::Apply, _) => {
            let digits = &p.kept[..step.header.kept as usize];
            let last = |step: u32, extent: u32| u64::from(extent - 1) * u64::from(step);
            let across = last(step.header.record_step, step.header.unit.segments());
            digits.iter().map(|d| last(d.record, d.extent)).sum::<u64>() + across + 1
        }
        _ => segments,
    }
}

/// Interprets the step's index arithmetic: it reads every element of x once, with the element's own weight, bias,
/// record and place in y.
fn check_walk(operation: &Operation, offsets: Offsets, step: &Step, next: Option<&Step>) {
    let (header, p) = (&step.header, &step.params);
    let width = header.unit.width();
    let expected = expectations(operation);
    let mut seen = vec![0u8; expected.len()];
    Walk::new(step).visit(|visit| {
        for j in 0..width {
            let element = (visit.x * width + j - offsets.x) as usize;
            seen[element] += 1;
            let Expectation { record, weight } = expected[element];
            let column = if header.unit == Unit::Columns { j } else { 0 };
            let reached = match header.kernel {
                Kernel::Partial => (visit.segment * header.unit.segments() + column) / parts_group(next),
                Kernel::Apply => visit.record + column * header.record_step,
                _ => visit.record + column,
            };
            assert_eq!(reached, record, "record of element {element} by {step:?}");
            if header.kernel == Kernel::Partial {
                continue;
            }
            let y = visit.x.wrapping_add(p.y_shift) * width + j - offsets.y;
            assert_eq!(y as usize, element, "place in y by {step:?}");
            let parameter = |index: u32, before: u32| match header.parameters {
                Parameters::Scalar => index - before,
                Parameters::Unit | Parameters::Shared => index * width + j - before,
            };
            if header.weight {
                assert_eq!(
                    parameter(visit.weight, offsets.weight),
                    weight,
                    "weight of {element} by {step:?}"
                );
            }
            if header.bias {
                let index = visit.weight.wrapping_add(p.bias_shift);
                assert_eq!(parameter(index, offsets.bias), weight, "bias of {element} by {step:?}");
            }
        }
    });
    assert!(
        seen.iter().all(|&times| times == 1),
        "elements are missed or met again by {step:?}: {seen:?}"
    );
}

/// Neighbouring parts that the finish of a partial step takes for one segment.
fn parts_group(next: Option<&Step>) -> u32 {
    let finish = next.expect("a partial step is followed by its finish");
    assert_eq!(finish.header.kernel, Kernel::Finish);
    finish.params.parts_group
}

/// The record and the weight of one element of x.
#[derive(Clone, Copy)]
struct Expectation {
    record: u32,
    weight: u32,
}

fn expectations(operation: &Operation) -> Vec<Expectation> {
    (0..elements(operation) as u32)
        .map(|element| {
            let mut expectation = Expectation { record: 0, weight: 0 };
            for axis in &operation.axes {
                let position = element / axis.x % axis.extent;
                expectation.record += position * axis.record;
                expectation.weight += position * axis.weight;
            }
            expectation
        })
        .collect()
}
