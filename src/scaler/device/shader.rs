//! The kernels of scalers: their text, bindings and parameters.

use bytemuck::{Pod, Zeroable};

/// Invocations of a workgroup.
pub(super) const WORKGROUP: u32 = 64;

/// Bindings: weights, prefixes or parameters; results, counts or y; x.
pub(super) const TABLE: u32 = 1;
pub(super) const OUTPUT: u32 = 2;
pub(super) const X: u32 = 3;

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
    pub w_offset: u32,
    /// To the 16 bytes that end the struct there.
    pub pad: [u32; 3],
}

/// A kernel, with what is fixed when its pipeline is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Header {
    pub kernel: Kernel,
    /// Neighbouring invocations take neighbouring features, not neighbouring spans.
    pub features_innermost: bool,
    /// Rows lie at equal distances.
    pub one_row_digit: bool,
    pub input: Input,
}

/// What x is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Input {
    F32,
    U8,
    /// f32 that are overwritten: the output.
    InPlace,
}

impl Input {
    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 | Self::InPlace => 4,
            Self::U8 => 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Fit {
        weighted: bool,
    },
    /// `pass` is 0, 1, or 2 for all further ones.
    Count {
        pass: u32,
        aggregate: bool,
    },
    Map,
    Unit,
}

impl Header {
    /// Every composition that a plan can ask for.
    pub fn all() -> Vec<Self> {
        use Kernel::{Count, Fit, Map, Unit};
        let mut all = Vec::new();
        let flags = [true, false];
        let mut kernels = vec![Map, Unit];
        for flag in flags {
            kernels.push(Fit { weighted: flag });
            kernels.extend([0, 1, 2].map(|pass| Count { pass, aggregate: flag }));
        }
        for kernel in kernels {
            for features_innermost in flags {
                for one_row_digit in flags {
                    for input in [Input::F32, Input::U8, Input::InPlace] {
                        if input == Input::InPlace && !matches!(kernel, Map | Unit) {
                            continue;
                        }
                        all.push(Self {
                            kernel,
                            features_innermost,
                            one_row_digit,
                            input,
                        });
                    }
                }
            }
        }
        all
    }

    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Fit { .. } => "scaler fit",
            Kernel::Count { .. } => "scaler count",
            Kernel::Map => "scaler map",
            Kernel::Unit => "scaler unit norm",
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
            ("WEIGHTED", self.kernel == Kernel::Fit { weighted: true }),
        ] {
            text += &format!("const {name}: bool = {value};\n");
        }
        text += include_str!("../../../shaders/scaler_prelude.wgsl");
        text += match self.input {
            Input::F32 => include_str!("../../../shaders/scaler_input_x.wgsl"),
            Input::U8 => include_str!("../../../shaders/scaler_input_bytes.wgsl"),
            Input::InPlace => include_str!("../../../shaders/scaler_input_y.wgsl"),
        };
        if let Kernel::Fit { weighted } = self.kernel {
            text += match weighted {
                true => include_str!("../../../shaders/scaler_weights.wgsl"),
                false => include_str!("../../../shaders/scaler_weights_none.wgsl"),
            };
        }
        text += match self.kernel {
            Kernel::Fit { .. } => include_str!("../../../shaders/scaler_fit.wgsl"),
            Kernel::Count { .. } => include_str!("../../../shaders/scaler_count.wgsl"),
            Kernel::Map => include_str!("../../../shaders/scaler_map.wgsl"),
            Kernel::Unit => include_str!("../../../shaders/scaler_unit.wgsl"),
        };
        text
    }

    /// The storage buffers by number, and whether they are written.
    pub fn bindings(&self) -> &'static [(u32, bool)] {
        const ALL: &[(u32, bool)] = &[(TABLE, false), (OUTPUT, true), (X, false)];
        let has_table = !matches!(self.kernel, Kernel::Fit { weighted: false } | Kernel::Unit);
        let has_x = self.input != Input::InPlace;
        &ALL[usize::from(!has_table)..2 + usize::from(has_x)]
    }
}

/// A kernel of the scalers as text, to be put through other compilers than the device's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalerShader {
    /// What tells it from others.
    pub name: String,
    /// WGSL, with the entry point `main`.
    pub wgsl: String,
    /// Storage buffers of group 0 by number, and whether they are written; 0 is a uniform.
    pub bindings: &'static [(u32, bool)],
}

/// Every shader that fits and transforms on a device can ask for.
pub fn scaler_shaders() -> Vec<ScalerShader> {
    (Header::all().iter())
        .map(|header| ScalerShader {
            name: format!("{}: {header:?}", header.name()),
            wgsl: header.wgsl(),
            bindings: header.bindings(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compositions_have_the_bindings_and_parameters_declared() {
        for header in Header::all() {
            let module = naga::front::wgsl::parse_str(&header.wgsl());
            let module = module.unwrap_or_else(|error| panic!("{header:?}: {}", error.emit_to_string(&header.wgsl())));
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
