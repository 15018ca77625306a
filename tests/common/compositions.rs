//! What plans can ask for: operations, devices and bindings whose shaders differ.

use std::collections::HashSet;

use rayon::prelude::*;
use wgnorm::plan::{Facts, Recipe, Role, Roles, candidates};
use wgnorm::shader::Header;
use wgnorm::spec::{Operation, Source, Stage, Statistic};
use wgnorm::{
    Affine, BatchNorm, DeviceTraits, ErrorKind, Gradients, GroupNorm, InstanceNorm, LayerNorm, Layout,
    LocalResponseNorm, LpNorm, MeanVarianceNorm, Normalization, OneValue, RmsNorm, Tuning, Variant, ZScore, ZeroNorm,
};

/// Devices whose compositions differ: with subgroups of several sizes and without, in software and in hardware.
pub fn devices() -> Vec<DeviceTraits> {
    let mut devices = Vec::new();
    for software in [true, false] {
        for subgroup_size in [None, Some((4, 4)), Some((8, 8)), Some((32, 64))] {
            devices.push(DeviceTraits {
                subgroup_size,
                wide_integers: software,
                aliased_writes: software,
                ..DeviceTraits::minimal(software)
            });
        }
    }
    // As through GL.
    devices.push(DeviceTraits {
        aliased_writes: true,
        ..DeviceTraits::minimal(true)
    });
    devices
}

const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

const POWERS: [f32; 4] = [1.0, 1.5, 2.0, f32::INFINITY];

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut add = |operation: wgnorm::Result<Operation>| operations.push(operation.expect("a valid operation"));
    let shapes: [&[usize]; 10] = [
        &[3, 5, 7],
        &[2, 8, 16],
        &[4, 4, 4, 8],
        &[2, 6, 4, 64],
        &[1, 3, 1],
        &[64, 1024],
        &[2, 4, 8192],
        &[1, 2, 1 << 17],
        &[50_000, 2, 3],
        &[256, 413],
    ];
    for (number, shape) in shapes.into_iter().enumerate() {
        for (weight, bias) in [(false, false), (true, false), (false, true), (true, true)] {
            add(LayerNorm::new(shape)
                .weight(weight)
                .bias(bias)
                .statistics(weight)
                .operation());
            add(RmsNorm::new(shape)
                .axis(1)
                .weight(weight)
                .bias(bias)
                .statistics(bias)
                .operation());
        }
        // What is true of one of the two is true of both: here there are both, or neither.
        for (layout, affine) in LAYOUTS.into_iter().flat_map(|layout| [(layout, false), (layout, true)]) {
            let batch = BatchNorm::new(shape)
                .layout(layout)
                .weight(affine)
                .bias(affine)
                .one_value(OneValue::Allow);
            add(batch.operation());
            add(batch.clone().statistics(true).update_running_statistics().operation());
            let counted = batch.clone().update_running_statistics().cumulative_average(true);
            add(counted.operation());
            let training = batch.clone().statistics(affine).update_running_statistics();
            add(training.renormalize(3.0, 5.0).operation());
            add(batch.use_running_statistics().operation());
            let instance = InstanceNorm::new(shape).layout(layout).weight(affine).bias(affine);
            add(instance
                .one_value(OneValue::Allow)
                .update_running_statistics()
                .operation());
            let channels = match layout {
                Layout::ChannelsFirst => shape[1],
                Layout::ChannelsLast => shape[shape.len() - 1],
            };
            let groups = if channels.is_multiple_of(2) { channels / 2 } else { 1 };
            let group = GroupNorm::new(shape, groups).layout(layout).weight(affine).bias(affine);
            add(group.operation());
            if affine {
                add(group.affine(Affine::PerGroup).operation());
            }
        }
        add(ZScore::new(shape, &[0]).operation());
        add(ZScore::new(shape, &[0, -1]).ddof(1).weight(true).operation());
        add(MeanVarianceNorm::new(shape, &[1]).operation());
        // All powers with a shape of each kind of units, one with the others.
        let powers = match number {
            0..3 => &POWERS[..],
            _ => &POWERS[number % POWERS.len()..][..1],
        };
        for &p in powers {
            add(LpNorm::new(shape, &[-1]).p(p).operation());
            add(LpNorm::new(shape, &[0])
                .p(p)
                .zero_norm(ZeroNorm::Zero)
                .weight(true)
                .operation());
        }
        for layout in LAYOUTS {
            add(LocalResponseNorm::new(shape, 5).layout(layout).operation());
            add(LocalResponseNorm::new(shape, 2)
                .layout(layout)
                .weight(true)
                .bias(true)
                .operation());
        }
        // Another memory order, and another one for y.
        let reversed: Vec<usize> = (0..shape.len()).map(|axis| shape[..axis].iter().product()).collect();
        add(LayerNorm::new(shape).input_strides(&reversed).operation());
        add(BatchNorm::new(shape)
            .one_value(OneValue::Allow)
            .input_strides(&reversed)
            .output_strides(&reversed)
            .operation());
    }
    // Axes that do not merge: weights over some of the kept and the reduced ones, another layout for y.
    for shape in [[6, 5, 4, 3], [4, 8, 2, 16], [3, 4, 8, 1024]] {
        add(LayerNorm::new(&shape).axes(&[1, 3]).weight_axes(&[0, 3]).operation());
        add(LayerNorm::new(&shape).axes(&[0, 2]).operation());
        add(RmsNorm::new(&shape).axes(&[0, 2]).weight_axes(&[1, 2]).operation());
        add(RmsNorm::new(&shape).axes(&[1]).statistics(true).operation());
        for [from, to] in [LAYOUTS, [LAYOUTS[1], LAYOUTS[0]]] {
            add(BatchNorm::new(&shape).layout(from).output_layout(to).operation());
            add(InstanceNorm::new(&shape).layout(from).output_layout(to).operation());
            add(LocalResponseNorm::new(&shape, 3)
                .layout(from)
                .output_layout(to)
                .operation());
        }
    }
    operations
}

/// The bindings that decide on shaders: aligned, at odd elements, in place, in place in an arena, and all in one where
/// some views cannot be bound.
fn facts() -> Vec<Facts> {
    let mut odd = Facts::default();
    odd.offsets[Role::X as usize] = 1;
    odd.offsets[Role::Bias as usize] = 3;
    let mut in_place = Facts {
        apart: Some(0),
        ..Facts::default()
    };
    in_place.buffers[Role::Y as usize] = in_place.buffers[Role::X as usize];
    let arena_in_place = Facts {
        buffers: [0; Role::ALL.len()],
        ..in_place
    };
    let mut staged = Facts {
        apart: Some(1 << 30),
        ..arena_in_place
    };
    for role in [Role::Weight, Role::Statistics, Role::RunningMean, Role::Moments] {
        staged.staged.insert(role);
    }
    vec![Facts::default(), odd, in_place, arena_in_place, staged]
}

/// The bindings that decide on shaders of the backward pass: aligned, at odd elements, dx in the place of x or dy, in
/// buffers of their own or all in one, and all in one where some views cannot be bound.
fn backward_facts() -> Vec<Facts> {
    let mut odd = Facts::default();
    odd.offsets[Role::Dy as usize] = 1;
    let arena = Facts {
        buffers: [0; Role::ALL.len()],
        ..Facts::default()
    };
    let mut facts = vec![Facts::default(), odd, arena];
    for over in [Role::X, Role::Dy] {
        let mut in_place = Facts {
            dx_over: Some(over),
            ..Facts::default()
        };
        in_place.buffers[Role::Dx as usize] = in_place.buffers[over as usize];
        facts.push(in_place);
        facts.push(Facts {
            dx_over: Some(over),
            ..arena
        });
    }
    let mut staged = arena;
    for role in [Role::Dy, Role::Dx, Role::Weight, Role::Statistics, Role::Dweight] {
        staged.staged.insert(role);
    }
    facts.push(staged);
    facts
}

/// The header of every step of every plan for `devices`: with the planner's choice of variant and each forced one, in
/// stages, with the merge between, and in pieces; and of the backward passes.
pub fn headers(devices: &[DeviceTraits]) -> HashSet<Header> {
    let (operations, facts) = (operations(), facts());
    let of_device = |traits: &DeviceTraits| {
        let mut headers = forward_headers(traits, &operations, &facts);
        headers.extend(backward_headers(traits, &operations));
        headers
    };
    devices.par_iter().flat_map_iter(of_device).collect()
}

fn forward_headers(traits: &DeviceTraits, operations: &[Operation], facts: &[Facts]) -> HashSet<Header> {
    let mut headers = HashSet::new();
    let tuning = Tuning::for_traits(traits);
    let narrow = DeviceTraits {
        binding_size: 2048,
        ..*traits
    };
    for facts in facts {
        let mut add = |recipe: wgnorm::Result<Recipe>| {
            headers.extend(recipe.expect("a plan").steps.iter().map(|step| step.header));
        };
        // A merge has no workspace to stage anything in.
        let powers = POWERS.map(|p| Statistic::Norm { p });
        for statistic in [Statistic::MeanVariance].into_iter().chain(powers) {
            for parts in [2, 1000].into_iter().filter(|_| facts.staged == Roles::default()) {
                add(Recipe::merge(&segments(8, statistic), parts, traits, tuning, facts));
            }
        }
        for operation in operations {
            let mut plan = |operation: &Operation| add(Recipe::new(operation, traits, tuning, facts));
            plan(operation);
            for variant in candidates(operation, traits, tuning, facts).expect("candidates") {
                plan(&Operation {
                    variant: Some(variant),
                    ..operation.clone()
                });
            }
            let has_stages = operation.source == Source::Input && !matches!(operation.statistic, Statistic::Window(_));
            for stage in [Stage::Statistics, Stage::Apply].into_iter().filter(|_| has_stages) {
                plan(&Operation {
                    stage,
                    ..operation.clone()
                });
            }
            match Recipe::new(operation, &narrow, tuning, facts) {
                Err(error) if error.kind() == ErrorKind::Limit => {}
                recipe => add(recipe),
            }
        }
    }
    headers
}

fn backward_headers(traits: &DeviceTraits, operations: &[Operation]) -> HashSet<Header> {
    let mut headers = HashSet::new();
    let facts = backward_facts();
    let tuning = Tuning::for_traits(traits);
    let narrow = DeviceTraits {
        binding_size: 2048,
        ..*traits
    };
    for operation in operations {
        let only_dx = Gradients {
            dweight: false,
            dbias: false,
            ..Gradients::all()
        };
        let all = Gradients::of(operation);
        let without = |accepted: &'static [ErrorKind], recipe: wgnorm::Result<Recipe>| match recipe {
            Err(error) if accepted.contains(&error.kind()) => HashSet::new(),
            recipe => recipe
                .expect("a plan")
                .steps
                .iter()
                .map(|step| step.header)
                .collect::<HashSet<_>>(),
        };
        for (number, facts) in facts.iter().enumerate() {
            // Where tensors lie decides how they are bound, and not what is wanted of them.
            let mut wanted = if number == 0 { vec![all, only_dx] } else { vec![all] };
            if has_inverse(operation) {
                wanted.push(Gradients {
                    from_output: true,
                    ..all
                });
            }
            for gradients in wanted {
                let renormed = operation.running.is_some_and(|running| running.renorm.is_some());
                let operation = &Operation {
                    statistics: operation.statistics || gradients.from_output || renormed,
                    ..operation.clone()
                };
                let plan =
                    |operation: &Operation, traits| Recipe::backward(operation, gradients, traits, tuning, facts);
                headers.extend(without(&[], plan(operation, traits)));
                for stage in [Stage::Statistics, Stage::Apply] {
                    // Those of given statistics and of infinite p are refused.
                    let half = Operation {
                        stage,
                        statistics: true,
                        ..operation.clone()
                    };
                    headers.extend(without(&[ErrorKind::Parameter], plan(&half, traits)));
                }
                // In one buffer or in place, kernels are those of either kind of device: its choice will do.
                if number >= 2 {
                    continue;
                }
                headers.extend(without(&[ErrorKind::Limit], plan(operation, &narrow)));
                for variant in Variant::ALL {
                    let forced = Operation {
                        variant: Some(variant),
                        ..operation.clone()
                    };
                    headers.extend(without(&[ErrorKind::Variant], plan(&forced, traits)));
                }
            }
        }
    }
    headers
}

/// True if the gradients of an operation can be made of y.
fn has_inverse(operation: &Operation) -> bool {
    let infinite = matches!(operation.statistic, Statistic::Norm { p } if p.is_infinite());
    let moves = operation.axes.iter().any(|axis| axis.extent > 1 && axis.x != axis.y);
    !(infinite || moves || matches!(operation.statistic, Statistic::Window(_)))
}

/// What [`wgnorm::Merge`] plans with: an operation of so many segments, without settings of its own.
pub fn segments(count: usize, statistic: Statistic) -> Operation {
    let builder = LayerNorm::new(&[count]).axes(&[]).weight(false).bias(false).eps(0.0);
    Operation {
        statistic,
        ..builder.operation().expect("a valid operation")
    }
}
