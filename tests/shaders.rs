//! Every shader that a plan can ask for is valid: naga accepts it and writes it for every backend, its parameter
//! block is the one that Rust fills, and its bindings are those that the catalogue declares.

#[path = "common/compositions.rs"]
mod compositions;

use std::collections::{HashMap, HashSet};
use std::mem::offset_of;

use compositions::{devices, headers};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use rayon::prelude::*;
use wgnorm::scaler::{ScalerShader, scaler_shaders};
use wgnorm::shader::{Header, Kernel, Params, Unit};

fn parse(header: &Header) -> naga::Module {
    parse_text(&format!("{header:?}"), &header.wgsl())
}

fn parse_text(name: &str, source: &str) -> naga::Module {
    naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{name}\n{}", error.emit_to_string(source)))
}

/// naga accepts the module.
fn validate(name: &str, source: &str, module: &naga::Module) -> ModuleInfo {
    Validator::new(
        ValidationFlags::all(),
        Capabilities::SUBGROUP | Capabilities::SHADER_INT64,
    )
    .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
    .subgroup_operations(naga::valid::SubgroupOperationSet::all())
    .validate(module)
    .unwrap_or_else(|error| panic!("{name}\n{}", error.emit_to_string(source)))
}

/// naga writes the module for Direct3D and Metal.
fn translate(name: &str, module: &naga::Module, info: &ModuleInfo) {
    let mut text = String::new();
    let options = naga::back::hlsl::Options {
        shader_model: naga::back::hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        ..Default::default()
    };
    naga::back::hlsl::Writer::new(&mut text, &options, &Default::default())
        .write(module, info, None)
        .unwrap_or_else(|error| panic!("HLSL of {name}: {error}"));
    let options = naga::back::msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        ..Default::default()
    };
    naga::back::msl::write_string(module, info, &options, &Default::default())
        .unwrap_or_else(|error| panic!("MSL of {name}: {error}"));
}

/// One header for every text and list of bindings: headers differ in what their kernels do not use.
fn distinct(headers: HashSet<Header>) -> Vec<Header> {
    let mut texts = HashMap::new();
    for header in headers {
        texts.insert(header.wgsl(), header);
    }
    texts.into_values().collect()
}

/// One composition of so many is written as HLSL and MSL, which takes longer than all else: other ones at every run.
/// `WGNORM_TRANSLATE_EVERY=1` takes all.
fn every() -> usize {
    match std::env::var("WGNORM_TRANSLATE_EVERY") {
        Ok(text) => text
            .parse()
            .ok()
            .filter(|every| *every > 0)
            .unwrap_or_else(|| panic!("WGNORM_TRANSLATE_EVERY is {text:?}")),
        Err(_) => 4,
    }
}

#[test]
fn every_composition_is_valid() {
    let headers = distinct(headers(&devices()));
    assert!(headers.len() > 100, "only {} compositions were found", headers.len());
    // Those that few shapes ask for.
    for in_place in [false, true] {
        let aligned = headers
            .iter()
            .filter(|header| header.sixteens && header.output_in_x == in_place);
        let periods: HashSet<_> = aligned.map(|header| (header.kernel, header.period)).collect();
        assert!(
            periods.contains(&(Kernel::Lane, 16)) && periods.contains(&(Kernel::Resident, 16)),
            "{periods:?}"
        );
    }
    let every = every();
    headers.par_iter().enumerate().for_each(|(number, header)| {
        let module = parse(header);
        let info = validate(&format!("{header:?}"), &header.wgsl(), &module);

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
            // Pairs leave no elements that are moved one by one, unless there is a tail, or y may begin at odd ones.
            let in_pairs = match variable.name.as_deref() {
                Some("weight" | "bias") => header.weight_pairs,
                Some("y") => header.y_pairs,
                Some("x") => header.unit == Unit::Loose && header.pairs && !header.tail && !header.odd,
                _ => false,
            };
            assert!(
                // What is private and not used is nothing on a device.
                !used[handle].is_empty() || in_pairs || variable.space == naga::AddressSpace::Private,
                "{header:?} does not use {:?}",
                variable.name
            );
        }

        if number % every == 0 {
            translate(&format!("{header:?}"), &module, &info);
        }
    });
}

#[test]
fn every_shader_of_scalers_is_valid() {
    for ScalerShader { name, wgsl, .. } in scaler_shaders() {
        let module = parse_text(&name, &wgsl);
        translate(&name, &module, &validate(&name, &wgsl, &module));
    }
}

#[test]
fn parameters_match_the_shader() {
    let header = *headers(&devices()[..1]).iter().next().expect("a composition");
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
    same!(spans, span_units, first_span, tail, parts, parts_group, parts_stride);
    same!(count, instances, ddof, eps, min_exponent, rate, unbiased);
    same!(skip_non_finite, renorm_ratio, renorm_shift);
    assert_eq!(offset("power_high"), Some(offset_of!(Params, power)));
    assert_eq!(offset("root_high"), Some(offset_of!(Params, root)));
    same!(window_left, window_right, window_step, window_scale);
    same!(window_k, negative_base);
    same!(
        first_channel,
        channels,
        dx_shift,
        dweight_offset,
        dbias_offset,
        accumulate,
        zero
    );
    // The members of the two pairs have names of their own in the shader.
    assert_eq!(members.len(), 43 + 2 * 2);
}
