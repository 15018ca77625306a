//! Every shader that a plan can ask for is valid: naga accepts it and writes it for every backend, its parameter
//! block is the one that Rust fills, and its bindings are those that the catalogue declares.

use std::collections::HashSet;
use std::mem::offset_of;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use wgnorm::plan::{Facts, Recipe, Role, candidates};
use wgnorm::shader::{Header, Params};
use wgnorm::spec::{Operation, Source, Stage, Statistic};
use wgnorm::{
    Affine, BatchNorm, DeviceTraits, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, LpNorm,
    MeanVarianceNorm, Normalization, OneValue, RmsNorm, Tuning, ZScore, ZeroNorm,
};

/// Devices whose compositions differ: with subgroups of several sizes and without, in software and in hardware.
fn devices() -> Vec<DeviceTraits> {
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
        for p in [1.0, 1.5, 2.0, f32::INFINITY] {
            add(LpNorm::new(shape, &[-1]).p(p).operation());
            add(LpNorm::new(shape, &[0])
                .p(p)
                .zero_norm(ZeroNorm::Zero)
                .weight(true)
                .operation());
        }
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
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
    operations
}

/// The bindings that decide on shaders: aligned, at odd elements, in place, and all in one arena.
fn facts() -> Vec<Facts> {
    let mut odd = Facts::default();
    odd.offsets[Role::X as usize] = 1;
    odd.offsets[Role::Bias as usize] = 3;
    let mut in_place = Facts {
        apart: Some(0),
        ..Facts::default()
    };
    in_place.buffers[Role::Y as usize] = in_place.buffers[Role::X as usize];
    let arena = Facts {
        buffers: [0; 10],
        apart: Some(1 << 30),
        ..Facts::default()
    };
    // Nothing lies where it could be bound.
    let mut staged = arena;
    for role in [Role::Weight, Role::Statistics, Role::RunningMean, Role::Moments] {
        staged.staged.insert(role);
    }
    vec![Facts::default(), odd, in_place, arena, staged]
}

fn headers() -> HashSet<Header> {
    let mut headers = HashSet::new();
    let (operations, facts) = (operations(), facts());
    for traits in devices() {
        let tuning = Tuning::for_traits(&traits);
        for operation in &operations {
            for facts in &facts {
                let mut plan = |operation: &Operation| {
                    let recipe = Recipe::new(operation, &traits, tuning, facts).expect("a plan");
                    headers.extend(recipe.steps.iter().map(|step| step.header));
                };
                plan(operation);
                for variant in candidates(operation, &traits, tuning, facts).expect("candidates") {
                    let forced = Operation {
                        variant: Some(variant),
                        ..operation.clone()
                    };
                    plan(&forced);
                }
                let has_stages =
                    operation.source == Source::Input && !matches!(operation.statistic, Statistic::Window(_));
                for stage in [Stage::Statistics, Stage::Apply].into_iter().filter(|_| has_stages) {
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

fn parse(header: &Header) -> naga::Module {
    let source = header.wgsl();
    naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{header:?}\n{}", error.emit_to_string(&source)))
}

#[test]
fn every_composition_is_valid() {
    let headers = headers();
    assert!(headers.len() > 100, "only {} compositions were found", headers.len());
    for header in &headers {
        let module = parse(header);
        let info = Validator::new(
            ValidationFlags::all(),
            Capabilities::SUBGROUP | Capabilities::SHADER_INT64,
        )
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{header:?}\n{}", error.emit_to_string(&header.wgsl())));

        let mut declared: Vec<_> = module.global_variables.iter().filter_map(|(_, v)| v.binding).collect();
        declared.sort();
        let mut expected = vec![0];
        expected.extend(header.bindings().iter().map(|binding| binding.slot.binding()));
        assert_eq!(
            declared.iter().map(|b| b.binding).collect::<Vec<_>>(),
            expected,
            "{header:?}"
        );
        let shared = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup);
        let bytes: u32 = shared
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        assert_eq!(bytes, header.workgroup_memory(), "{header:?}");
        let used = info.get_entry_point(0);
        for (handle, variable) in module.global_variables.iter() {
            assert!(!used[handle].is_empty(), "{header:?} does not use {:?}", variable.name);
        }

        let mut text = String::new();
        let options = naga::back::hlsl::Options {
            shader_model: naga::back::hlsl::ShaderModel::V6_0,
            fake_missing_bindings: true,
            ..Default::default()
        };
        naga::back::hlsl::Writer::new(&mut text, &options, &Default::default())
            .write(&module, &info, None)
            .unwrap_or_else(|error| panic!("HLSL of {header:?}: {error}"));
        let options = naga::back::msl::Options {
            lang_version: (2, 4),
            fake_missing_bindings: true,
            ..Default::default()
        };
        naga::back::msl::write_string(&module, &info, &options, &Default::default())
            .unwrap_or_else(|error| panic!("MSL of {header:?}: {error}"));
    }
}

#[test]
fn parameters_match_the_shader() {
    let header = *headers().iter().next().expect("a composition");
    let module = parse(&header);
    let (_, block) = (module.types.iter())
        .find(|(_, ty)| ty.name.as_deref() == Some("Params"))
        .expect("a parameter block");
    let naga::TypeInner::Struct { members, span } = &block.inner else {
        panic!("Params is not a struct");
    };
    assert_eq!(*span as usize, size_of::<Params>());
    let offset = |name: &str| {
        members
            .iter()
            .find(|m| m.name.as_deref() == Some(name))
            .map(|m| m.offset as usize)
    };
    macro_rules! same {
        ($($field:ident),*) => {$(
            assert_eq!(offset(stringify!($field)), Some(offset_of!(Params, $field)), stringify!($field));
        )*};
    }
    same!(digits, segments, units, run_units, step_x, step_y, step_weight);
    same!(x_offset, y_offset, y_shift, weight_offset, bias_shift, record_offset);
    same!(spans, span_units, first_span, parts, parts_group, parts_stride);
    same!(count, instances, ddof, eps, min_exponent, rate, unbiased);
    assert_eq!(offset("power_high"), Some(offset_of!(Params, power)));
    assert_eq!(offset("root_high"), Some(offset_of!(Params, root)));
    same!(window_left, window_right, window_scale, window_k, negative_base);
    same!(first_channel, channels, zero, padding);
    // The members of the two pairs have names of their own in the shader.
    assert_eq!(members.len(), 35 + 2 * 2);
}
