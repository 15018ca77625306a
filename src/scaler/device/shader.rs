//! The kernels of scalers: their text, bindings and parameters.

use bytemuck::{Pod, Zeroable};

use crate::scaler::logarithm::Logarithm;
use crate::scaler::power::Powers;

/// Invocations of a workgroup.
pub(super) const WORKGROUP: u32 = 64;

/// Bindings: weights, prefixes, edges or parameters; results, counts or y; x; rows of spans, or keys of rows.
pub(super) const TABLE: u32 = 1;
pub(super) const OUTPUT: u32 = 2;
pub(super) const X: u32 = 3;
pub(super) const ROWS: u32 = 4;

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
    pub edges: u32,
    /// To the 16 bytes that end the struct there.
    pub pad: [u32; 2],
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
        function: Function,
        /// Spans are lists of rows.
        listed: bool,
    },
    /// `pass` is 0, 1, 2 for all further ones, or 3 for those that look for many prefixes.
    Count {
        pass: u32,
        aggregate: bool,
    },
    /// Counts between edges.
    Histogram {
        aggregate: bool,
    },
    Line {
        function: Function,
        inverse: bool,
        by_key: bool,
    },
    Quantile {
        normal: bool,
        inverse: bool,
        by_key: bool,
    },
    Unit,
}

/// What is done to values first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Function {
    None,
    /// Infinities go missing.
    Finite,
    /// What is not between two keys of its feature goes missing.
    Between,
    Logarithm(Logarithm),
    Power(Powers),
}

impl Function {
    /// What defines the function.
    fn wgsl(self) -> String {
        let logarithms = include_str!("../../../shaders/scaler_logarithms.wgsl");
        let powers = include_str!("../../../shaders/scaler_powers.wgsl");
        match self {
            Self::None => include_str!("../../../shaders/scaler_function_none.wgsl").into(),
            Self::Finite => include_str!("../../../shaders/scaler_function_finite.wgsl").into(),
            Self::Between => String::new(),
            Self::Logarithm(logarithm) => {
                let own = match logarithm {
                    Logarithm::Log => include_str!("../../../shaders/scaler_function_log.wgsl"),
                    Logarithm::Log1p => include_str!("../../../shaders/scaler_function_log1p.wgsl"),
                    Logarithm::Symlog => include_str!("../../../shaders/scaler_function_symlog.wgsl"),
                };
                [logarithms, own].concat()
            }
            Self::Power(family) => {
                let own = match family {
                    Powers::BoxCox => include_str!("../../../shaders/scaler_function_box_cox.wgsl"),
                    Powers::YeoJohnson => include_str!("../../../shaders/scaler_function_yeo_johnson.wgsl"),
                };
                [logarithms, powers, own].concat()
            }
        }
    }

    /// The elements that a fit takes.
    fn elements(self) -> String {
        match self {
            Self::Between => include_str!("../../../shaders/scaler_elements_between.wgsl").into(),
            _ => self.wgsl() + include_str!("../../../shaders/scaler_elements.wgsl"),
        }
    }

    fn logarithms() -> impl Iterator<Item = Self> {
        [Logarithm::Log, Logarithm::Log1p, Logarithm::Symlog]
            .into_iter()
            .map(Self::Logarithm)
    }
}

impl Kernel {
    /// Every kernel that a fit or a plan can ask for.
    fn all() -> Vec<Self> {
        let flags = [true, false];
        let [finite, between] = [Function::Finite, Function::Between].map(|function| Self::Fit {
            weighted: false,
            function,
            listed: false,
        });
        let mut all = vec![Self::Unit, finite, between];
        for flag in flags {
            all.extend([0, 1, 2, 3].map(|pass| Self::Count { pass, aggregate: flag }));
            all.push(Self::Histogram { aggregate: flag });
        }
        let functions = || [Function::None].into_iter().chain(Function::logarithms());
        for (a, b) in flags.into_iter().flat_map(|a| flags.map(|b| (a, b))) {
            all.extend(functions().map(|function| Self::Fit {
                weighted: a,
                function,
                listed: b,
            }));
            let powers = [Powers::BoxCox, Powers::YeoJohnson].map(Function::Power);
            all.extend(functions().chain(powers).map(|function| Self::Line {
                function,
                inverse: a,
                by_key: b,
            }));
            all.extend(flags.map(|normal| Self::Quantile {
                normal,
                inverse: a,
                by_key: b,
            }));
        }
        all
    }

    /// Whether it reads a feature's rows in spans, not all elements.
    fn reads_spans(self) -> bool {
        matches!(self, Self::Fit { .. } | Self::Count { .. } | Self::Histogram { .. })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fit { .. } => "scaler fit",
            Self::Count { .. } => "scaler count",
            Self::Histogram { .. } => "scaler histogram",
            Self::Line { .. } => "scaler map",
            Self::Quantile { .. } => "scaler quantile map",
            Self::Unit => "scaler unit norm",
        }
    }

    /// The constants of all kernels, and the files of this one.
    fn wgsl(self) -> String {
        let (pass, aggregate) = match self {
            Self::Count { pass, aggregate } => (pass, aggregate),
            Self::Histogram { aggregate } => (0, aggregate),
            _ => (0, false),
        };
        let (inverse, by_key) = match self {
            Self::Line { inverse, by_key, .. } | Self::Quantile { inverse, by_key, .. } => (inverse, by_key),
            _ => (false, false),
        };
        let mut text = format!("const PASS: u32 = {pass}u;\n");
        for (name, value) in [
            ("AGGREGATE", aggregate),
            ("WEIGHTED", matches!(self, Self::Fit { weighted: true, .. })),
            ("INVERSE", inverse),
            ("NORMAL", matches!(self, Self::Quantile { normal: true, .. })),
        ] {
            text += &format!("const {name}: bool = {value};\n");
        }
        let count = include_str!("../../../shaders/scaler_count.wgsl");
        let all_rows = include_str!("../../../shaders/scaler_rows_all.wgsl");
        let map = [
            match by_key {
                true => include_str!("../../../shaders/scaler_key_of_row.wgsl"),
                false => include_str!("../../../shaders/scaler_key_none.wgsl"),
            },
            include_str!("../../../shaders/scaler_map.wgsl"),
        ]
        .concat();
        text += &match self {
            Self::Fit {
                weighted,
                function,
                listed,
            } => [
                function.elements().as_str(),
                match weighted {
                    true => include_str!("../../../shaders/scaler_weights.wgsl"),
                    false => include_str!("../../../shaders/scaler_weights_none.wgsl"),
                },
                match listed {
                    true => include_str!("../../../shaders/scaler_rows_listed.wgsl"),
                    false => all_rows,
                },
                include_str!("../../../shaders/scaler_fit.wgsl"),
            ]
            .concat(),
            Self::Count { .. } => {
                let digit = include_str!("../../../shaders/scaler_counter_digit.wgsl");
                [all_rows, digit, count].concat()
            }
            Self::Histogram { .. } => {
                let edge = include_str!("../../../shaders/scaler_counter_edge.wgsl");
                [all_rows, edge, count].concat()
            }
            Self::Line { function, .. } => {
                let line = include_str!("../../../shaders/scaler_line.wgsl");
                [&function.wgsl(), line, &map].concat()
            }
            Self::Quantile { .. } => {
                let logarithms = include_str!("../../../shaders/scaler_logarithms.wgsl");
                let quantile = include_str!("../../../shaders/scaler_quantile.wgsl");
                [logarithms, quantile, &map].concat()
            }
            Self::Unit => include_str!("../../../shaders/scaler_unit.wgsl").into(),
        };
        text
    }

    /// Whether it has a table, and rows.
    fn binds(self) -> (bool, bool) {
        match self {
            Self::Fit {
                weighted,
                function,
                listed,
            } => (weighted || function == Function::Between, listed),
            Self::Count { .. } | Self::Histogram { .. } => (true, false),
            Self::Line { by_key, .. } | Self::Quantile { by_key, .. } => (true, by_key),
            Self::Unit => (false, false),
        }
    }
}

impl Header {
    /// Every composition that a plan can ask for.
    pub fn all() -> Vec<Self> {
        let flags = [true, false];
        let mut all = Vec::new();
        for kernel in Kernel::all() {
            for (features_innermost, one_row_digit) in flags.into_iter().flat_map(|a| flags.map(|b| (a, b))) {
                for input in [Input::F32, Input::U8, Input::InPlace] {
                    let asked = match kernel.reads_spans() {
                        true => input != Input::InPlace,
                        false => features_innermost && one_row_digit,
                    };
                    if asked {
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
        self.kernel.name()
    }

    /// The constants, and the files.
    pub fn wgsl(&self) -> String {
        let mut text = format!("const WORKGROUP: u32 = {WORKGROUP}u;\n");
        for (name, value) in [
            ("FEATURES_INNERMOST", self.features_innermost),
            ("ONE_ROW_DIGIT", self.one_row_digit),
        ] {
            text += &format!("const {name}: bool = {value};\n");
        }
        text += include_str!("../../../shaders/scaler_prelude.wgsl");
        text += match self.input {
            Input::F32 => include_str!("../../../shaders/scaler_input_x.wgsl"),
            Input::U8 => include_str!("../../../shaders/scaler_input_bytes.wgsl"),
            Input::InPlace => include_str!("../../../shaders/scaler_input_y.wgsl"),
        };
        text + &self.kernel.wgsl()
    }

    /// The storage buffers by number, and whether they are written.
    pub fn bindings(&self) -> &'static [(u32, bool)] {
        const T: (u32, bool) = (TABLE, false);
        const Y: (u32, bool) = (OUTPUT, true);
        const A: (u32, bool) = (X, false);
        const R: (u32, bool) = (ROWS, false);
        let (has_table, has_rows) = self.kernel.binds();
        match (has_table, self.input != Input::InPlace, has_rows) {
            (true, true, true) => &[T, Y, A, R],
            (true, true, false) => &[T, Y, A],
            (true, false, true) => &[T, Y, R],
            (true, false, false) => &[T, Y],
            (false, true, true) => &[Y, A, R],
            (false, true, false) => &[Y, A],
            (false, false, true) => &[Y, R],
            (false, false, false) => &[Y],
        }
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
