//! What plans can ask for: operations, devices and bindings whose shaders differ.

use std::collections::HashSet;

use wgnorm::plan::{Facts, Recipe, Role, candidates};
use wgnorm::shader::Header;
use wgnorm::spec::{Operation, Stage};
use wgnorm::{
    Affine, BatchNorm, DeviceTraits, GroupNorm, InstanceNorm, LayerNorm, Layout, MeanVarianceNorm, Normalization,
    OneValue, RmsNorm, Tuning, ZScore,
};

/// Devices whose compositions differ: with subgroups of several sizes and without, in software and in hardware.
pub fn devices() -> Vec<DeviceTraits> {
    let mut devices = Vec::new();
    for software in [true, false] {
        for subgroup_size in [
            None,
            Some((4, 4)),
            Some((8, 8)),
            Some((32, 32)),
            Some((8, 32)),
            Some((32, 64)),
        ] {
            devices.push(DeviceTraits {
                subgroup_size,
                wide_integers: software,
                ..DeviceTraits::minimal(software)
            });
        }
    }
    devices
}

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut add = |operation: wgnorm::Result<Operation>| operations.push(operation.expect("a valid operation"));
    let shapes: [&[usize]; 9] = [
        &[3, 5, 7],
        &[2, 8, 16],
        &[4, 4, 4, 8],
        &[2, 6, 4, 64],
        &[1, 3, 1],
        &[64, 1024],
        &[2, 4, 8192],
        &[1, 2, 1 << 17],
        &[50_000, 2, 3],
    ];
    for shape in shapes {
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
            for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
                let batch = BatchNorm::new(shape)
                    .layout(layout)
                    .weight(weight)
                    .bias(bias)
                    .one_value(OneValue::Allow);
                add(batch.operation());
                add(batch.clone().statistics(true).update_running_statistics().operation());
                add(batch.use_running_statistics().operation());
                let instance = InstanceNorm::new(shape).layout(layout).weight(weight).bias(bias);
                add(instance
                    .one_value(OneValue::Allow)
                    .update_running_statistics()
                    .operation());
                for affine in [Affine::PerChannel, Affine::PerGroup] {
                    let channels = if layout == Layout::ChannelsFirst {
                        shape[1]
                    } else {
                        shape[shape.len() - 1]
                    };
                    let groups = if channels.is_multiple_of(2) { channels / 2 } else { 1 };
                    let group = GroupNorm::new(shape, groups).layout(layout).affine(affine);
                    add(group.weight(weight).bias(bias).operation());
                }
            }
        }
        add(ZScore::new(shape, &[0]).operation());
        add(ZScore::new(shape, &[0, -1]).ddof(1).weight(true).operation());
        add(MeanVarianceNorm::new(shape, &[1]).operation());
    }
    operations
}

/// The bindings that decide on shaders: aligned, at odd elements, in place, all in one arena, and in place there.
fn facts() -> Vec<Facts> {
    let mut odd = Facts::default();
    odd.offsets.x = 1;
    odd.offsets.bias = 3;
    let mut in_place = Facts {
        output_in_x: true,
        ..Facts::default()
    };
    in_place.buffers[Role::Y as usize] = in_place.buffers[Role::X as usize];
    let arena = Facts {
        buffers: [0; Role::ALL.len()],
        ..Facts::default()
    };
    let arena_in_place = Facts {
        output_in_x: true,
        ..arena
    };
    vec![Facts::default(), odd, in_place, arena, arena_in_place]
}

/// The header of every step of every plan for `devices`: with the planner's choice of variant and each forced one, and
/// in stages, with the merge between.
pub fn headers(devices: &[DeviceTraits]) -> HashSet<Header> {
    let mut headers = HashSet::new();
    let (operations, facts) = (operations(), facts());
    let merged = segments(8);
    for traits in devices {
        let tuning = Tuning::for_traits(traits);
        for facts in &facts {
            let mut add = |recipe: wgnorm::Result<Recipe>| {
                headers.extend(recipe.expect("a plan").steps.iter().map(|step| step.header));
            };
            for parts in [2, 1000] {
                add(Recipe::merge(&merged, parts, traits, tuning, facts));
            }
            for operation in &operations {
                let mut plan = |operation: &Operation| add(Recipe::new(operation, traits, tuning, facts));
                plan(operation);
                for variant in candidates(operation, traits, tuning, facts.offsets).expect("candidates") {
                    plan(&Operation {
                        variant: Some(variant),
                        ..operation.clone()
                    });
                }
                for stage in [Stage::Statistics, Stage::Apply] {
                    plan(&Operation {
                        stage,
                        ..operation.clone()
                    });
                }
            }
        }
    }
    headers
}

/// What [`wgnorm::Merge`] plans with: an operation of so many segments, without settings of its own.
pub fn segments(count: usize) -> Operation {
    let builder = InstanceNorm::new(&[1, count, 1]).one_value(OneValue::Allow);
    builder
        .weight(false)
        .bias(false)
        .operation()
        .expect("a valid operation")
}
