//! What can be said of a step without carrying it out, of tensors of any size: limits of the device, what bindings
//! cover, how far indices and loops go.

use std::ops::Range;

use wgnorm::plan::{Operand, Recipe, Role, Step};
use wgnorm::shader::{Kernel, Parameters, Slot};
use wgnorm::spec::Stage;

use crate::scenario::Scenario;

/// Where llvmpipe stops, counted over all loops of an invocation.
pub const TRIP_LIMIT: u64 = 65_535;

pub fn check(scenario: &Scenario, recipe: &Recipe) {
    check_workspace(recipe, u64::from(scenario.traits.storage_alignment));
    check_counts(scenario, recipe);
    for step in &recipe.steps {
        check_limits(scenario, step);
        check_bindings(scenario, step);
        check_indices(step);
    }
}

pub fn check_limits(scenario: &Scenario, step: &Step) {
    let (header, traits) = (&step.header, &scenario.traits);
    let per_dimension = u64::from(traits.workgroups_per_dimension);
    // Browsers bind eight; what is bound once more as pairs, none of them does.
    let once = step
        .bindings
        .iter()
        .filter(|(binding, _)| binding.slot == binding.slot.single());
    assert!(
        step.bindings.len() as u32 <= traits.storage_buffers && once.count() <= 8,
        "{header:?}"
    );
    assert!(
        (1..=per_dimension * per_dimension).contains(&step.workgroups),
        "{header:?}"
    );
    // Segments and spans are numbered in 32 bits, and so are those beyond the last in the last row of workgroups.
    let row = step.workgroups.min(per_dimension);
    let items = step.workgroups.div_ceil(row) * row * u64::from(header.workgroup / header.lanes * header.rows);
    assert!(items <= 1 << 32, "{items} items of {header:?}");
    assert!(!header.full_groups || step.workgroups <= per_dimension, "{header:?}");
    assert!(header.workgroup <= traits.workgroup_invocations, "{header:?}");
    assert!(header.workgroup_memory() <= traits.workgroup_memory, "{header:?}");
    assert!(
        header.lanes <= header.workgroup && header.workgroup.is_multiple_of(header.lanes),
        "{header:?}"
    );
    assert!(trips(step) <= TRIP_LIMIT, "{} trips of {step:?}", trips(step));
    assert_eq!(step.params.zero, 0);
}

/// Loop iterations of the busiest invocation at worst: every chunk is read four times, then y is written.
pub fn trips(step: &Step) -> u64 {
    let (header, p) = (&step.header, &step.params);
    let share = |units: u32| u64::from(units.div_ceil(header.lanes));
    // One reading: every unit, every run with its tail and the ends of three loops, every chunk likewise. No unit has
    // shorter chunks.
    let runs = |units: u64| match header.runs {
        true => units.min(units * u64::from(header.lanes) / u64::from(p.run_units) + 2),
        false => 1,
    };
    let loose = p.tail + if header.sixteens { 16 } else { 0 };
    let walked = |units: u64| units + runs(units) * u64::from(loose + 4);
    let chunks = |units: u64| units.div_ceil(16);
    let accumulated = |units: u64| 4 * (walked(units) + 4 * chunks(units)) + 6 * chunks(units) + 16;
    match header.kernel {
        Kernel::Lane | Kernel::Tile => accumulated(share(p.units)) + walked(share(p.units)),
        Kernel::ShortRows | Kernel::Resident => {
            u64::from(header.rows) * (8 * u64::from(header.units + header.tail_share) + 16)
        }
        Kernel::Partial => u64::from(header.rows) * (accumulated(share(p.span_units)) + 1),
        Kernel::Apply => u64::from(header.rows) * (walked(share(p.span_units)) + 1 + u64::from(p.parts)),
        Kernel::Finish => share(p.parts),
        Kernel::Running => u64::from(p.instances),
        // Every neighbour three times: a sum, and where that is extreme, the largest and another sum.
        Kernel::Window => {
            let neighbours = u64::from(p.window_left) + u64::from(p.window_right) + 1;
            u64::from(p.span_units) * (3 * neighbours.min(u64::from(p.channels)) + 1)
        }
        Kernel::Given | Kernel::Renorm | Kernel::GradientGiven | Kernel::Inverse | Kernel::Copy => 0,
        // Sums are read once, in chunks; a walk over them decodes digits at every step.
        Kernel::GradientLane => 2 * walked(share(p.units)) + 6 * chunks(share(p.units)) + 16,
        Kernel::GradientSums => {
            let units = share(p.span_units);
            let neighbours = u64::from(p.window_left) + u64::from(p.window_right) + 1;
            // As of a window.
            let windows = match header.windowed {
                true => units * (3 * neighbours.min(u64::from(p.channels)) + 3),
                false => 0,
            };
            u64::from(header.rows) * (walked(units) + 6 * chunks(units) + 16 + windows)
        }
        Kernel::GradientApply => u64::from(header.rows) * (walked(share(p.span_units)) + 1),
        Kernel::GradientResident => u64::from(header.rows + header.workgroup / header.lanes * header.units + 16),
        Kernel::GradientTotals => share(p.parts) + 16,
        Kernel::GradientFinish | Kernel::GradientSegments | Kernel::GradientParameters => 3 * share(p.units) + 32,
        // About every neighbour, and about the element itself, a window of neighbours, each read three times.
        Kernel::GradientWindow => {
            let neighbours = u64::from(p.window_left) + u64::from(p.window_right) + 1;
            let neighbours = neighbours.min(u64::from(p.channels));
            u64::from(p.span_units) * (neighbours + 1) * (3 * neighbours + 3)
        }
    }
}

/// Bindings lie in their views, begin where the device can bind them, and none that is written overlaps another.
fn check_bindings(scenario: &Scenario, step: &Step) {
    let (traits, views, header) = (&scenario.traits, &scenario.views, &step.header);
    let alignment = u64::from(traits.storage_alignment);
    let places: Vec<_> = (step.bindings.iter())
        .map(|(binding, operand)| (binding, operand, views.resolve(*operand)))
        .collect();
    let listed: Vec<_> = step.bindings.iter().map(|(binding, _)| *binding).collect();
    assert_eq!(listed, step.header.bindings());
    for (binding, operand, (buffer, bytes)) in &places {
        let size = bytes.end - bytes.start;
        assert!(
            size > 0 && size % 4 == 0 && size <= traits.binding_size,
            "{operand:?} of {header:?}"
        );
        assert!(bytes.start.is_multiple_of(alignment), "{operand:?} of {header:?}");
        if let Operand::Caller { role, .. } = **operand {
            let (_, mut view) = views.aligned(role);
            // Where x and y are bound together, so they are for the statistics before.
            let together = header.output_in_x || header.kernel == Kernel::Partial;
            if binding.slot.single() == Slot::X && together && views.get(Role::Y).is_some_and(|y| y.buffer == *buffer) {
                let (_, other) = views.aligned(Role::Y);
                view = view.start.min(other.start)..view.end.max(other.end);
            }
            assert!(
                view.start <= bytes.start && bytes.end <= view.end,
                "{operand:?} of {header:?} is not in {view:?}"
            );
        }
    }
    // What is bound twice, to be moved in pairs, is the same.
    for (pairs, single) in [
        (Slot::XPairs, Slot::X),
        (Slot::YPairs, Slot::Y),
        (Slot::WeightPairs, Slot::Weight),
        (Slot::BiasPairs, Slot::Bias),
    ] {
        let of = |slot| step.bindings.iter().find(|(binding, _)| binding.slot == slot);
        if let Some((binding, operand)) = of(pairs) {
            let single_written = of(single).is_some_and(|(single, _)| single.read_write);
            assert_eq!(
                binding.read_write,
                pairs == Slot::YPairs || header.sixteens && single_written
            );
            assert_eq!(Some(operand), of(single).map(|(_, operand)| operand));
        }
    }
    for (i, (binding, _, (buffer, bytes))) in places.iter().enumerate() {
        let others = || {
            places
                .iter()
                .enumerate()
                .filter(|(j, _)| *j != i)
                .map(|(_, place)| place)
        };
        let alike = others().filter(|(_, _, (other, _))| other == buffer);
        for (other, _, (_, there)) in alike {
            assert!(!other.written || binding.read_write, "{:?} of {step:?}", binding.slot);
            let overlap = there.start < bytes.end && bytes.start < there.end;
            // Every element of y is written through one of its two bindings, where the device lets two write one buffer:
            // no browser does.
            let once_more = binding.slot != other.slot && binding.slot.single() == other.slot.single();
            assert!(
                !(binding.read_write && overlap && !once_more),
                "{:?} and {:?} of {step:?}",
                binding.slot,
                other.slot
            );
        }
    }
}

/// Every region lies inside the workspace, and what a step reads of it earlier ones wrote.
pub fn check_workspace(recipe: &Recipe, alignment: u64) {
    let mut written: Vec<Range<u64>> = Vec::new();
    for step in &recipe.steps {
        let regions = || {
            (step.bindings.iter()).filter_map(|(binding, operand)| match *operand {
                Operand::Workspace { offset, size } => Some((binding, offset..offset + size)),
                Operand::Caller { .. } => None,
            })
        };
        for (binding, region) in regions() {
            assert!(
                region.start.is_multiple_of(alignment) && region.end <= recipe.workspace,
                "{step:?}"
            );
            if binding.written {
                continue;
            }
            let mut from = region.start;
            while let Some(range) = written.iter().find(|range| range.contains(&from) && from < region.end) {
                from = range.end;
            }
            assert!(
                from >= region.end,
                "bytes {from} to {} are never written: {recipe}",
                region.end
            );
        }
        written.extend(
            regions()
                .filter(|(binding, _)| binding.written)
                .map(|(_, region)| region),
        );
    }
}

/// The most that the walk of a step reaches lies in its bindings, and is counted in 32 bits.
fn check_indices(step: &Step) {
    let (header, p) = (&step.header, &step.params);
    if !step.bindings.iter().any(|(binding, _)| binding.slot == Slot::X) {
        return;
    }
    let reach = u64::from(header.unit.width() + p.tail);
    let index_width = u64::from(header.unit.index_width());
    let (kept, reduced) = (header.kept as usize, header.reduced as usize);
    let (digits, run) = (&p.digits[..kept + reduced], u64::from(p.run_units - 1));
    let farthest = |first: u32, step: u32, stride: &dyn Fn(usize) -> u32| {
        let steps = digits
            .iter()
            .enumerate()
            .map(|(i, d)| u64::from(d.extent - 1) * u64::from(stride(i)));
        u64::from(first) + run * u64::from(step) + steps.sum::<u64>()
    };
    let units: u64 = digits[kept..].iter().map(|d| u64::from(d.extent)).product::<u64>() * (run + 1);
    assert_eq!(units, u64::from(p.units), "{step:?}");
    let segments: u64 = digits[..kept].iter().map(|d| u64::from(d.extent)).product();
    assert_eq!(segments, u64::from(p.segments), "{step:?}");
    assert!(u64::from(p.segments) * u64::from(p.spans) < 1 << 32, "{step:?}");

    let check = |slot: Slot, farthest: u64, index: u64, reach: u64| {
        let Some((_, operand)) = step.bindings.iter().find(|(binding, _)| binding.slot == slot) else {
            return;
        };
        let (Operand::Caller { size, .. } | Operand::Workspace { size, .. }) = *operand;
        assert!(
            farthest < 1 << 32 && (farthest * index + reach) * 4 <= size,
            "{farthest} of {slot:?} in {step:?}"
        );
    };
    let x = farthest(p.x_offset, p.step_x, &|i| digits[i].x);
    check(Slot::X, x, index_width, reach);
    let shift = u64::from(p.y_offset.wrapping_sub(p.x_offset));
    let y = match header.own_y {
        true => farthest(p.y_offset, p.step_y, &|i| digits[i].y),
        false => (x + shift) % (1 << 32),
    };
    check(
        if header.output_in_x { Slot::X } else { Slot::Y },
        y,
        index_width,
        reach,
    );
    let (index, weights) = match header.parameters {
        Parameters::Scalar => (1, 1),
        _ => (index_width, reach),
    };
    // Of folded rows, what is kept by column begins again with each.
    let folded = header.fold > 1;
    let weight = match folded {
        true => u64::from(p.weight_offset + p.channels - 1),
        false => farthest(p.weight_offset, p.step_weight, &|i| digits[i].weight),
    };
    check(Slot::Weight, weight, index, weights);
    check(
        Slot::Bias,
        (weight + u64::from(p.bias_shift)) % (1 << 32),
        index,
        weights,
    );
    // The records of a unit's segments.
    let across = u64::from(header.record_step * (header.unit.segments() - 1));
    let record = farthest(p.record_offset, 0, &|i| digits[i].record) + across;
    let part = u64::from(p.first_span + (p.spans - 1) * header.fold) * u64::from(p.parts_stride);
    let of_segments = |record: u64| match folded {
        true => (record + 1 - u64::from(p.record_offset)) / u64::from(header.fold) + u64::from(p.record_offset) - 1,
        false => record,
    };
    check(Slot::Records, of_segments(record), 4, 4);
    check(
        Slot::Moments,
        if header.kernel == Kernel::Partial {
            part + record
        } else {
            record
        },
        8,
        8,
    );
}

/// As many elements are written, and as many read for statistics, as there are.
fn check_counts(scenario: &Scenario, recipe: &Recipe) {
    let operation = &scenario.operation;
    let elements: u64 = operation.axes.iter().map(|axis| u64::from(axis.extent)).product();
    let count = |counts: &dyn Fn(Kernel) -> bool| -> u64 {
        let steps = recipe.steps.iter().filter(|step| counts(step.header.kernel));
        let of = |step: &Step| {
            let width = u64::from(step.header.unit.width());
            let p = &step.params;
            let tails = u64::from(p.units / p.run_units) * u64::from(p.tail);
            u64::from(p.segments) * (u64::from(p.units) * width + tails)
        };
        steps.map(of).sum()
    };
    let others = [
        Kernel::Finish,
        Kernel::Given,
        Kernel::Running,
        Kernel::Copy,
        Kernel::Partial,
    ];
    let written = count(&|kernel| !others.contains(&kernel));
    let applies = operation.stage != Stage::Statistics;
    assert_eq!(written, if applies { elements } else { 0 }, "{recipe}");
    let (apart, applied) = (
        count(&|kernel| kernel == Kernel::Partial),
        count(&|kernel| kernel == Kernel::Apply),
    );
    if !applies {
        assert_eq!(apart, elements, "{recipe}");
    } else if apart > 0 {
        assert_eq!(apart, applied, "{recipe}");
    }
}
