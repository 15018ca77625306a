//! What can be said of the steps of a backward pass without carrying them out.

use wgnorm::plan::{Facts, Operand, Recipe, Step};
use wgnorm::shader::{Kernel, Parameters, Slot};
use wgnorm::spec::{Operation, Source, Stage, Statistic};
use wgnorm::{ErrorKind, Gradients, Variant};

use crate::bounds::{check_limits, check_workspace};
use crate::scenario::Scenario;

/// Checks the backward passes of a scenario's operation, with all gradients and with dx alone, with the planner's choice of
/// variant and with each forced one.
pub fn check(scenario: &Scenario) {
    let operation = Operation {
        stage: Stage::Whole,
        variant: None,
        ..scenario.operation.clone()
    };
    let only_dx = Gradients {
        dweight: false,
        dbias: false,
        ..Gradients::all()
    };
    let all = Gradients::of(&operation);
    let infinite = matches!(operation.statistic, Statistic::Norm { p } if p.is_infinite());
    let moves = operation.axes.iter().any(|axis| axis.extent > 1 && axis.x != axis.y);
    if operation.statistics && !(infinite || moves || matches!(operation.statistic, Statistic::Window(_))) {
        let from_output = Gradients {
            from_output: true,
            ..all
        };
        check_recipe(scenario, &operation, from_output);
    }
    let takes_shares = operation.statistics && !infinite;
    if takes_shares && operation.source == Source::Input {
        let sums = Gradients { dx: false, ..all };
        for (stage, gradients) in [(Stage::Statistics, sums), (Stage::Apply, only_dx)] {
            let operation = Operation {
                stage,
                ..operation.clone()
            };
            check_recipe(scenario, &operation, gradients);
        }
    }
    for variant in [None].into_iter().chain(Variant::ALL.map(Some)) {
        let operation = Operation {
            variant,
            ..operation.clone()
        };
        for gradients in [all, only_dx] {
            check_recipe(scenario, &operation, gradients);
        }
    }
}

fn check_recipe(scenario: &Scenario, operation: &Operation, gradients: Gradients) {
    let (traits, tuning) = (&scenario.traits, &scenario.tuning);
    let elements: u64 = operation.axes.iter().map(|axis| u64::from(axis.extent)).product();
    let broadcast = operation.axes.iter().any(|axis| axis.x == 0 && axis.extent > 1);
    let recipe = match Recipe::backward(operation, gradients, traits, tuning, &Facts::default()) {
        Ok(recipe) => recipe,
        Err(error) => {
            let expected = match error.kind() {
                ErrorKind::Shape => broadcast,
                ErrorKind::Variant => operation.variant.is_some() || elements == 0,
                kind => matches!(kind, ErrorKind::Limit | ErrorKind::Overflow),
            };
            assert!(expected, "{error} for {operation:?}");
            return;
        }
    };
    // Without elements, a binding stands for sums of which none is read.
    if elements > 0 {
        check_workspace(&recipe, u64::from(traits.storage_alignment));
    }
    let mut written = 0;
    for step in recipe.steps.iter().filter(|_| elements > 0) {
        check_limits(scenario, step);
        check_bindings(step);
        check_reach(step);
        let writes_dx = step.bindings.iter().any(|(binding, _)| binding.slot == Slot::Dx);
        if writes_dx {
            written +=
                u64::from(step.params.segments) * u64::from(step.params.units) * u64::from(step.header.unit.width());
        }
    }
    let makes_dx = operation.stage != Stage::Statistics;
    assert_eq!(written, if makes_dx { elements } else { 0 }, "{recipe}");
}

/// No binding that is written overlaps another.
fn check_bindings(step: &Step) {
    let ranges: Vec<_> = (step.bindings.iter())
        .filter_map(|(binding, operand)| match *operand {
            Operand::Workspace { offset, size } => Some((binding, offset..offset + size)),
            Operand::Caller { .. } => None,
        })
        .collect();
    for (i, (written, there)) in ranges.iter().enumerate().filter(|(_, (binding, _))| binding.written) {
        for (j, (binding, range)) in ranges.iter().enumerate() {
            let overlap = range.start < there.end && there.start < range.end;
            assert!(
                i == j || !overlap,
                "{:?} and {:?} of {step:?}",
                written.slot,
                binding.slot
            );
        }
    }
}

/// The most that the walk of a step reaches lies in its bindings.
fn check_reach(step: &Step) {
    let (header, p) = (&step.header, &step.params);
    if matches!(
        header.kernel,
        Kernel::Copy
            | Kernel::Given
            | Kernel::Partial
            | Kernel::Finish
            | Kernel::GradientTotals
            | Kernel::GradientGiven
            | Kernel::Inverse
    ) {
        if header.kernel == Kernel::GradientGiven {
            for (_, operand) in &step.bindings {
                let (Operand::Caller { size, .. } | Operand::Workspace { size, .. }) = *operand;
                assert!(u64::from(p.segments) * 16 <= size, "{step:?}");
            }
        }
        if header.kernel == Kernel::Inverse {
            for (slot, width) in [(Slot::Records, 16), (Slot::Weight, 4), (Slot::Bias, 4)] {
                let found = step.bindings.iter().find(|(binding, _)| binding.slot == slot);
                let size = found.map(|(_, operand)| match *operand {
                    Operand::Caller { size, .. } | Operand::Workspace { size, .. } => size,
                });
                assert!(
                    size.is_none_or(|size| u64::from(p.segments) * width <= size),
                    "{step:?}"
                );
            }
        }
        if header.kernel == Kernel::GradientTotals {
            let read = u64::from(p.parts) * u64::from(p.segments) * 16;
            let sums = step.bindings.iter().find(|(binding, _)| binding.slot == Slot::SumsRead);
            assert!(matches!(sums, Some((_, Operand::Workspace { size, .. })) if *size >= read));
        }
        return;
    }
    let digits = &p.digits[..(header.kept + header.reduced) as usize];
    let farthest = |first: u32, step: u32, strides: &dyn Fn(usize) -> u32| {
        let steps = digits
            .iter()
            .enumerate()
            .map(|(i, d)| u64::from(d.extent - 1) * u64::from(strides(i)));
        u64::from(first) + u64::from(p.run_units - 1) * u64::from(step) + steps.sum::<u64>()
    };
    let check = |slot: Slot, farthest: u64, width: u64| {
        let Some((_, operand)) = step.bindings.iter().find(|(binding, _)| binding.slot == slot) else {
            return;
        };
        let (Operand::Caller { size, .. } | Operand::Workspace { size, .. }) = *operand;
        assert!((farthest + 1) * width * 4 <= size, "{farthest} of {slot:?} in {step:?}");
    };
    let width = u64::from(header.unit.width());
    let x = farthest(p.x_offset, p.step_x, &|i| digits[i].x);
    check(Slot::X, x, width);
    check(Slot::Dx, (x + u64::from(p.dx_shift)) % (1 << 32), width);
    let dy = match header.own_y {
        true => farthest(p.y_offset, p.step_y, &|i| digits[i].y),
        false => (x + u64::from(p.y_offset.wrapping_sub(p.x_offset))) % (1 << 32),
    };
    check(Slot::Dy, dy, width);
    check(Slot::SumsRead, x, 4);
    let across = |step: u32| u64::from(step * (header.unit.segments() - 1));
    let weight = farthest(p.weight_offset, p.step_weight, &|i| digits[i].weight);
    let record = farthest(p.record_offset, 0, &|i| digits[i].record) + across(header.record_step);
    match header.by_weight {
        true => check(Slot::Records, weight + across(header.normalizer_step), 4),
        false => {
            check(Slot::Records, record, 4);
            check(Slot::Coefficients, record, 4);
            let weights = if header.parameters == Parameters::Scalar {
                1
            } else {
                width
            };
            check(Slot::Weight, weight, weights);
            check(Slot::Bias, (weight + u64::from(p.bias_shift)) % (1 << 32), weights);
        }
    }
    if header.kernel == Kernel::GradientParameters {
        check(Slot::Dweight, record + u64::from(p.dweight_offset), 1);
        check(Slot::Dbias, record + u64::from(p.dbias_offset), 1);
    }
    if header.kernel == Kernel::GradientResident && header.one_weight {
        check(Slot::Sums, record - u64::from(p.record_offset), 4);
        return;
    }
    if header.kernel == Kernel::GradientResident {
        // Of every workgroup, two weights a vec4.
        let pairs = 2 * u64::from(p.units);
        assert_eq!(u64::from(p.parts), step.workgroups);
        check(Slot::Sums, u64::from(p.parts) * pairs - 1, 4);
        return;
    }
    let part = u64::from(p.first_span + p.spans - 1) * u64::from(p.parts_stride);
    check(Slot::Sums, part + record - u64::from(p.record_offset), 4);
}
