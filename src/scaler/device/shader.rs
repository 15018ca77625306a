//! The kernels of scalers: their text, bindings and parameters.

use bytemuck::{Pod, Zeroable};

/// Invocations of a workgroup.
pub(super) const WORKGROUP: u32 = 64;

/// What a dispatch is told at run time. The same struct as `Params` in shaders/scaler_prelude.wgsl; a test compares both.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
pub struct Params {
    pub rows: u32,
    pub features: u32,
    pub inner: u32,
    pub x_offset: u32,
    pub x_outer: u32,
    pub x_feature: u32,
    pub x_inner: u32,
    pub y_offset: u32,
    pub y_outer: u32,
    pub y_feature: u32,
    pub y_inner: u32,
    pub spans: u32,
    pub span_first: u32,
    pub span_step: u32,
    pub step_outer: u32,
    pub step_feature: u32,
    pub step_inner: u32,
    pub shift: u32,
    pub mask: u32,
    pub prefix_shift: u32,
    pub prefixes: u32,
    pub ends: u32,
    pub norm: u32,
    pub bounded: u32,
    pub low: f32,
    pub high: f32,
    pub zero: u32,
    pub counters: u32,
}

/// A kernel, with what is fixed when its pipeline is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Header {
    pub kernel: Kernel,
    /// Neighbouring invocations take neighbouring features, not neighbouring spans.
    pub features_innermost: bool,
    /// Rows lie at equal distances.
    pub one_row_digit: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Fit,
    /// `pass` is 0, 1, or 2 for all further ones.
    Count {
        pass: u32,
        aggregate: bool,
    },
    Map {
        in_place: bool,
    },
    Unit {
        in_place: bool,
    },
}

impl Header {
    /// Every composition that a plan can ask for.
    #[cfg(test)]
    pub fn all() -> Vec<Self> {
        use Kernel::{Count, Fit, Map, Unit};
        let mut all = Vec::new();
        let flags = [true, false];
        let mut kernels = vec![Fit];
        for flag in flags {
            kernels.extend([Map { in_place: flag }, Unit { in_place: flag }]);
            kernels.extend([0, 1, 2].map(|pass| Count { pass, aggregate: flag }));
        }
        for kernel in kernels {
            for features_innermost in flags {
                for one_row_digit in flags {
                    all.push(Self {
                        kernel,
                        features_innermost,
                        one_row_digit,
                    });
                }
            }
        }
        all
    }

    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Fit => "scaler fit",
            Kernel::Count { .. } => "scaler count",
            Kernel::Map { .. } => "scaler map",
            Kernel::Unit { .. } => "scaler unit norm",
        }
    }

    /// The constants, and the files.
    pub fn wgsl(&self) -> String {
        let (pass, aggregate) = match self.kernel {
            Kernel::Count { pass, aggregate } => (pass, aggregate),
            _ => (0, false),
        };
        let mut text = String::new();
        text += &format!("const WORKGROUP: u32 = {WORKGROUP}u;\nconst PASS: u32 = {pass}u;\n");
        for (name, value) in [
            ("FEATURES_INNERMOST", self.features_innermost),
            ("ONE_ROW_DIGIT", self.one_row_digit),
            ("AGGREGATE", aggregate),
        ] {
            text += &format!("const {name}: bool = {value};\n");
        }
        text += include_str!("../../../shaders/scaler_prelude.wgsl");
        let input = |in_place| match in_place {
            true => include_str!("../../../shaders/scaler_input_y.wgsl"),
            false => include_str!("../../../shaders/scaler_input_x.wgsl"),
        };
        match self.kernel {
            Kernel::Fit => text += include_str!("../../../shaders/scaler_fit.wgsl"),
            Kernel::Count { .. } => text += include_str!("../../../shaders/scaler_count.wgsl"),
            Kernel::Map { in_place } => {
                text += input(in_place);
                text += include_str!("../../../shaders/scaler_map.wgsl");
            }
            Kernel::Unit { in_place } => {
                text += input(in_place);
                text += include_str!("../../../shaders/scaler_unit.wgsl");
            }
        }
        text
    }

    /// The storage buffers by number, and whether they are written.
    pub fn bindings(&self) -> &'static [(u32, bool)] {
        match self.kernel {
            Kernel::Fit => &[(1, false), (2, true)],
            Kernel::Count { .. } => &[(1, false), (2, true), (3, false)],
            Kernel::Map { in_place: true } => &[(1, false), (2, true)],
            Kernel::Map { in_place: false } => &[(1, false), (2, true), (3, false)],
            Kernel::Unit { in_place: true } => &[(2, true)],
            Kernel::Unit { in_place: false } => &[(2, true), (3, false)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compositions_are_valid_and_have_the_bindings_declared() {
        for header in Header::all() {
            let module = naga::front::wgsl::parse_str(&header.wgsl());
            let module = module.unwrap_or_else(|error| panic!("{header:?}: {}", error.emit_to_string(&header.wgsl())));
            let mut validator = naga::valid::Validator::new(
                naga::valid::ValidationFlags::all(),
                naga::valid::Capabilities::default(),
            );
            validator
                .validate(&module)
                .unwrap_or_else(|error| panic!("{header:?}: {error:?}"));
            let mut found = Vec::new();
            for (_, variable) in module.global_variables.iter() {
                if let (naga::AddressSpace::Storage { access }, Some(binding)) = (variable.space, &variable.binding) {
                    found.push((binding.binding, access.contains(naga::StorageAccess::STORE)));
                }
                if variable.space == naga::AddressSpace::Uniform {
                    let mut layouter = naga::proc::Layouter::default();
                    layouter.update(module.to_ctx()).unwrap();
                    assert_eq!(layouter[variable.ty].size as usize, size_of::<Params>());
                    let naga::TypeInner::Struct { members, .. } = &module.types[variable.ty].inner else {
                        panic!("the parameters are no struct");
                    };
                    let names: Vec<_> = members.iter().map(|member| member.name.clone().unwrap()).collect();
                    let ours = format!("{:?}", Params::default());
                    let places: Vec<_> = names.iter().map(|name| ours.find(&format!(" {name}: "))).collect();
                    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{names:?}");
                }
            }
            found.sort();
            assert_eq!(found, header.bindings());
        }
    }
}
