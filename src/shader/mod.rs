//! The catalogue of shaders: which modules make up each kernel, its constants and its bindings.
//!
//! A [`Header`] says everything that is fixed when a pipeline is made. It is the pipeline's key, and it prints
//! itself as the first lines of the shader: constants and binding declarations, the only WGSL made in Rust. All
//! else are the files under `shaders/`, concatenated. Declarations need no order in WGSL.

mod compose;
mod memory;
mod modules;
mod params;
mod slots;
mod unit;

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::spec::{DType, EpsRule};
pub use params::{ParamDigit, Params};
pub use slots::{Binding, Slot, Slots};
pub use unit::Unit;

/// The entry point of every kernel.
pub const ENTRY_POINT: &str = "main";

/// Whose WGSL a shader is written in: it differs in how subgroup operations are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// That of naga, which knows subgroup operations unasked and refuses `enable subgroups;`.
    Naga,
    /// That of browsers, which need it.
    WebGpu,
}

impl Dialect {
    /// What wgpu passes shaders to on this target.
    pub const TARGET: Self = if cfg!(target_family = "wasm") {
        Self::WebGpu
    } else {
        Self::Naga
    };
}

/// The kernels: one entry point each, in the file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// `lane.wgsl`
    Lane,
    /// `short_rows.wgsl`
    ShortRows,
    /// `resident.wgsl`
    Resident,
    /// `tile.wgsl`
    Tile,
    /// `partial.wgsl`
    Partial,
    /// `finish.wgsl`
    Finish,
    /// `apply.wgsl`
    Apply,
    /// `given.wgsl`
    Given,
    /// `inverse.wgsl`
    Inverse,
    /// `renorm.wgsl`
    Renorm,
    /// `running.wgsl`
    Running,
    /// `window.wgsl`
    Window,
    /// `copy.wgsl`
    Copy,
    /// `gradient_lane.wgsl`
    GradientLane,
    /// `gradient_sums.wgsl`
    GradientSums,
    /// `gradient_finish.wgsl`
    GradientFinish,
    /// `gradient_segments.wgsl`
    GradientSegments,
    /// `gradient_given.wgsl`
    GradientGiven,
    /// `gradient_parameters.wgsl`
    GradientParameters,
    /// `gradient_apply.wgsl`
    GradientApply,
    /// `gradient_resident.wgsl`
    GradientResident,
    /// `gradient_totals.wgsl`
    GradientTotals,
    /// `gradient_window.wgsl`
    GradientWindow,
}

impl Kernel {
    /// The kernel's name, for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::ShortRows => "short rows",
            Self::Resident => "resident",
            Self::Tile => "tile",
            Self::Partial => "partial",
            Self::Finish => "finish",
            Self::Apply => "apply",
            Self::Given => "given",
            Self::Inverse => "inverse",
            Self::Renorm => "renorm",
            Self::Running => "running",
            Self::Window => "window",
            Self::Copy => "copy",
            Self::GradientLane => "gradient lane",
            Self::GradientSums => "gradient sums",
            Self::GradientFinish => "gradient finish",
            Self::GradientSegments => "gradient segments",
            Self::GradientGiven => "gradient given",
            Self::GradientParameters => "gradient parameters",
            Self::GradientApply => "gradient apply",
            Self::GradientResident => "gradient resident",
            Self::GradientTotals => "gradient totals",
            Self::GradientWindow => "gradient window",
        }
    }

    fn reads_x(self) -> bool {
        let others = matches!(
            self,
            Self::Finish | Self::Given | Self::Inverse | Self::Renorm | Self::Running | Self::Copy
        );
        !others && !self.gathers()
    }

    pub(crate) fn writes_y(self) -> bool {
        self.reads_x() && !self.reads_dy() && self != Self::Partial
    }

    fn reads_dy(self) -> bool {
        self.writes_dx() || self == Self::GradientSums
    }

    pub(crate) fn writes_dx(self) -> bool {
        matches!(
            self,
            Self::GradientLane | Self::GradientApply | Self::GradientResident | Self::GradientWindow
        )
    }

    /// True of kernels that read sums of gradients.
    fn gathers(self) -> bool {
        matches!(
            self,
            Self::GradientFinish
                | Self::GradientSegments
                | Self::GradientGiven
                | Self::GradientParameters
                | Self::GradientTotals
        )
    }
}

/// How weight and bias are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameters {
    /// One value for all elements of a unit.
    Scalar,
    /// A value for each element of a unit.
    Unit,
    /// A value for each element of a unit of sixteen, the same ones for all eight lanes of a subgroup, which load an eighth each.
    Eighths,
    /// The same for the four lanes of a subgroup, which load a quarter each.
    Quarters,
}

impl Parameters {
    /// Lanes that share loads of weight and bias, if they do.
    pub fn sharers(self) -> Option<u32> {
        match self {
            Self::Scalar | Self::Unit => None,
            Self::Eighths => Some(8),
            Self::Quarters => Some(4),
        }
    }
}

/// How the invocations of a resident segment reduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Through workgroup memory.
    Tree,
    /// Within part of a subgroup.
    Subgroup,
    /// Within a subgroup, all of which shares a segment.
    WholeSubgroup,
    /// Within subgroups, then across those of the workgroup.
    Workgroup,
}

/// What is summed of each element for the statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Power {
    /// Its square.
    Square,
    /// Its magnitude.
    Absolute,
    /// A power of its magnitude.
    Any,
    /// Nothing: the largest magnitude is taken.
    Maximum,
}

/// Where dx is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DxPlace {
    /// In a binding of its own.
    Apart,
    /// In the place of x.
    OverX,
    /// In the place of dy.
    OverDy,
}

/// Everything that is fixed when a pipeline is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// The entry point.
    pub kernel: Kernel,
    /// What one load moves.
    pub unit: Unit,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// Invocations that share a segment or a span.
    pub lanes: u32,
    /// Kept digits to decode.
    pub kept: u32,
    /// Reduced digits to decode per run.
    pub reduced: u32,
    /// True if a segment is several runs.
    pub runs: bool,
    /// True if x and y go on from one run to the next as within one, and only the weight is another.
    pub flat: bool,
    /// Units of a segment that an invocation holds in registers.
    pub units: u32,
    /// True on adapters that run shaders on the CPU, which take long to compile what is not in a loop.
    pub software: bool,
    /// Segments of an invocation: consecutive ones, or `period` apart.
    pub rows: u32,
    /// Segments from one that an invocation takes to its next: see `sixteens`.
    pub period: u32,
    /// True if every lane of a resident segment holds as many units as any.
    pub full_lanes: bool,
    /// True if every invocation has a segment.
    pub full_groups: bool,
    /// True if a step in x is one unit and one in the weight `weight_step`.
    pub unit_steps: bool,
    /// See `unit_steps`.
    pub weight_step: u32,
    /// True if y or bias are indexed at a distance from x and weight.
    pub shifted: bool,
    /// True if y has other strides than x.
    pub own_y: bool,
    /// True if invocations keep their share of weight and bias from segment to segment.
    pub hold: bool,
    /// True if the statistic has a center.
    pub centered: bool,
    /// What is summed of each element.
    pub power: Power,
    /// How eps enters the scale.
    pub eps_rule: EpsRule,
    /// y is multiplied by a weight.
    pub weight: bool,
    /// A bias is added to y.
    pub bias: bool,
    /// How weight and bias are read.
    pub parameters: Parameters,
    /// Segments are one run of at most a chunk, which loops need not be nested for.
    pub one_chunk: bool,
    /// Storage type of x and y; the choice of the storage module.
    pub dtype: DType,
    /// Elements are moved two at a time, as 64-bit integers: units of sixteen and of columns, or, of loose units, those
    /// of x.
    pub pairs: bool,
    /// Weight and bias of loose units are read two elements at a time.
    pub weight_pairs: bool,
    /// x_hat is that of local response normalization.
    pub windowed: bool,
    /// y of loose units is written two elements at a time.
    pub y_pairs: bool,
    /// Loose units begin at multiples of four elements of x, and are read four at a time.
    pub fours: bool,
    /// Loose units begin at multiples of four elements of y, and are written four at a time.
    pub y_fours: bool,
    /// Loose units begin at multiples of sixteen elements of x and y, wherever segments do, and are moved whole. The
    /// segments of an invocation that keeps their weights all begin alike.
    pub sixteens: bool,
    /// Loose units may begin at odd elements of x.
    pub odd: bool,
    /// Loose units may begin at odd elements of y.
    pub y_odd: bool,
    /// Runs end with elements that fill no unit.
    pub tail: bool,
    /// Elements beside the units of a resident segment that an invocation holds in registers.
    pub tail_share: u32,
    /// Weight and bias differ between the units of a run.
    pub weight_varies: bool,
    /// Distance between the records of a unit's segments.
    pub record_step: u32,
    /// Distance between the records that the segments of a unit are normalized with; 0 if it is the same one.
    pub normalizer_step: u32,
    /// Rows of segments that are taken for one: each holds a part of every segment.
    pub fold: u32,
    /// Segments are what one weight multiplies, and indices of weights are those of records.
    pub by_weight: bool,
    /// Statistics are given, so that they do not depend on x.
    pub given: bool,
    /// y is bound in the place of x.
    pub from_output: bool,
    /// Where dx is written.
    pub dx_place: DxPlace,
    /// The gradient of the weight is written.
    pub dweight: bool,
    /// The gradient of the bias is written.
    pub dbias: bool,
    /// Sums that gradients of weight and bias are made of are written beside dx.
    pub sums: bool,
    /// Each of the segments that lanes hold has one weight: it multiplies sums, and those that are written are of segments.
    pub one_weight: bool,
    /// Records are renormalized, and coefficients of dx are those of such records.
    pub renormed: bool,
    /// The running statistics are averages over batches that are counted.
    pub counts_batches: bool,
    /// Records are written.
    pub records: bool,
    /// Moments are written.
    pub moments: bool,
    /// Running statistics are updated by what settles a segment, which is a channel.
    pub running: bool,
    /// What writes y combines the parts of segments itself.
    pub merges: bool,
    /// y lies in the binding of x.
    pub output_in_x: bool,
    /// How resident segments reduce.
    pub reduction: Reduction,
    /// Bindings that must be `read_write` because they share a buffer with one that is written.
    pub shared: Slots,
}

impl Header {
    /// A header of `kernel` with every switch at its plainest.
    pub fn new(kernel: Kernel, workgroup: u32) -> Self {
        Self {
            kernel,
            unit: Unit::Scalar,
            workgroup,
            lanes: 1,
            kept: 0,
            reduced: 0,
            runs: false,
            flat: false,
            units: 1,
            software: false,
            rows: 1,
            period: 1,
            full_lanes: false,
            full_groups: false,
            unit_steps: false,
            weight_step: 0,
            shifted: false,
            own_y: false,
            hold: false,
            centered: true,
            power: Power::Square,
            eps_rule: EpsRule::OnVariance,
            weight: false,
            bias: false,
            parameters: Parameters::Scalar,
            one_chunk: false,
            dtype: DType::F32,
            pairs: false,
            weight_pairs: false,
            windowed: false,
            y_pairs: false,
            odd: false,
            y_odd: false,
            sixteens: false,
            fours: false,
            y_fours: false,
            tail: false,
            tail_share: 0,
            weight_varies: false,
            record_step: 1,
            normalizer_step: 1,
            fold: 1,
            by_weight: false,
            given: false,
            from_output: false,
            dx_place: DxPlace::Apart,
            dweight: false,
            dbias: false,
            sums: false,
            one_weight: false,
            renormed: false,
            counts_batches: false,
            records: false,
            moments: false,
            running: false,
            merges: false,
            output_in_x: false,
            reduction: Reduction::Tree,
            shared: Slots::default(),
        }
    }

    /// The storage bindings, in order.
    pub fn bindings(&self) -> Vec<Binding> {
        let kernel = self.kernel;
        let in_place = kernel.writes_y() && self.output_in_x;
        let pairs = self.unit == Unit::Loose && kernel.reads_x() && (self.pairs || self.sixteens);
        let y_pairs = self.unit == Unit::Loose && kernel.writes_y() && (self.y_pairs || self.sixteens && !in_place);
        let weight_pairs = self.unit == Unit::Loose && kernel.writes_y() && self.weight_pairs;
        let updates = kernel == Kernel::Running || self.running;
        let running = updates || matches!(kernel, Kernel::Given | Kernel::Renorm);
        let weighs = kernel.writes_y() || kernel.reads_dy() || kernel.gathers() || kernel == Kernel::Inverse;
        let settles = matches!(kernel, Kernel::GradientFinish | Kernel::GradientGiven);
        let dx_over = |place| kernel.writes_dx() && self.dx_place == place;
        let reads_records =
            kernel == Kernel::Apply && !self.merges || (kernel.reads_dy() && !self.takes_windows()) || settles;
        let takes_coefficients = settles || kernel == Kernel::GradientApply && !self.given;
        let used = [
            (Slot::X, kernel.reads_x() && !dx_over(DxPlace::OverX), in_place),
            (Slot::Y, kernel.writes_y() && !in_place, true),
            (Slot::Weight, weighs && self.weight, false),
            (Slot::Bias, (kernel.writes_y() || self.inverts()) && self.bias, false),
            (
                Slot::Records,
                self.records || reads_records || matches!(kernel, Kernel::Given | Kernel::Inverse | Kernel::Renorm),
                !reads_records,
            ),
            (Slot::Moments, self.moments, true),
            (
                Slot::Parts,
                self.merges || matches!(kernel, Kernel::Finish | Kernel::Running),
                false,
            ),
            (Slot::RunningMean, running, updates),
            (Slot::RunningVar, running, updates),
            (Slot::Batches, self.counts_batches, true),
            (
                Slot::Corrections,
                self.renormed && (settles || kernel == Kernel::Renorm),
                kernel == Kernel::Renorm,
            ),
            (Slot::From, kernel == Kernel::Copy, false),
            (Slot::To, kernel == Kernel::Copy, true),
            (Slot::XPairs, pairs, in_place && self.sixteens),
            (Slot::YPairs, y_pairs, true),
            (Slot::WeightPairs, weight_pairs && self.weight, false),
            (Slot::BiasPairs, weight_pairs && self.bias, false),
            (Slot::Dy, kernel.reads_dy() && !dx_over(DxPlace::OverDy), false),
            (Slot::Dx, kernel.writes_dx(), true),
            (Slot::Dweight, self.dweight, true),
            (Slot::Dbias, self.dbias, true),
            (
                Slot::Sums,
                self.sums || matches!(kernel, Kernel::GradientSums | Kernel::GradientSegments),
                true,
            ),
            (Slot::SumsRead, kernel.gathers(), false),
            (Slot::Coefficients, takes_coefficients, settles),
        ];
        used.into_iter()
            .filter(|(_, used, _)| *used)
            .map(|(slot, _, written)| Binding {
                slot,
                written,
                read_write: written || self.shared.contains(slot),
            })
            .collect()
    }

    /// True if elements are multiplied by what a window about them makes.
    fn takes_windows(&self) -> bool {
        self.windowed || matches!(self.kernel, Kernel::Window | Kernel::GradientWindow)
    }

    /// True if the affine map is undone with weight and bias themselves.
    fn inverts(&self) -> bool {
        self.kernel == Kernel::Inverse || self.from_output && !self.by_weight && self.kernel.reads_dy()
    }

    /// Neighbouring segments that a workgroup takes side by side, `lanes` invocations each.
    fn columns(&self) -> u32 {
        self.workgroup / self.lanes
    }

    /// True if invocations that share a segment first try plain sums about one pivot: see `resident_quick.wgsl` and
    /// `shared_part_quick.wgsl`.
    fn tries_plain_sums(&self) -> bool {
        !self.software && !matches!(self.power, Power::Any | Power::Maximum)
    }

    /// True if the shader has subgroup operations.
    pub fn uses_subgroups(&self) -> bool {
        let resident = matches!(self.kernel, Kernel::Resident | Kernel::GradientResident);
        let reduces = resident && self.reduction != Reduction::Tree;
        reduces || self.parameters.sharers().is_some()
    }

    /// The whole shader, as wgpu takes it on this target.
    pub fn wgsl(&self) -> String {
        self.wgsl_for(Dialect::TARGET)
    }

    /// The whole shader in a dialect.
    pub fn wgsl_for(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        if self.uses_subgroups() && dialect == Dialect::WebGpu {
            // Lanes of a subgroup go the same way where they have voted on it, which no analysis can see.
            text.push_str("enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n");
        }
        let mut body = String::new();
        for module in self.modules() {
            body.push_str(module.source());
            body.push('\n');
        }
        text.push_str(&self.declarations(&body));
        text.push_str(&body);
        text
    }

    /// Name and value of every constant that the modules use.
    fn constants(&self) -> [(&'static str, u32); 23] {
        let stride = if self.kernel == Kernel::Finish { 1 } else { self.lanes };
        [
            ("WORKGROUP", self.workgroup),
            ("LANES", self.lanes),
            ("STRIDE", stride),
            ("COLUMNS", self.columns()),
            ("TREE_SIZE", self.tree_size()),
            ("UNIT_STEP", self.unit.width() / self.unit.index_width()),
            ("UNROLL", self.unit.unroll()),
            ("WEIGHT_STEP", self.weight_step),
            ("KEPT", self.kept),
            ("REDUCED", self.reduced),
            ("UNITS", self.units),
            ("TAIL_SHARE", self.tail_share),
            ("ROWS", self.rows),
            ("SHARERS", self.parameters.sharers().unwrap_or(1)),
            ("PERIOD", self.period),
            ("CHUNK", self.unit.chunk()),
            ("PIVOT", self.unit.pivot()),
            ("GROUP", 16),
            ("PER_UNIT", self.unit.per_segment()),
            ("UNIT_VECTORS", self.unit.width() / 4),
            ("RECORD_STEP", self.record_step),
            ("NORMALIZER_STEP", self.normalizer_step),
            ("FOLD", self.fold),
        ]
    }

    fn switches(&self) -> [(&'static str, bool); 25] {
        [
            ("RUNS", self.runs),
            ("FLAT", self.flat),
            ("SOFTWARE", self.software),
            ("FULL_LANES", self.full_lanes),
            ("FULL_GROUPS", self.full_groups),
            ("HOLD", self.hold),
            ("UNIT_STEPS", self.unit_steps),
            ("SHIFTED", self.shifted),
            ("PAIRS", self.pairs || self.unit == Unit::Loose),
            ("ODD", self.odd),
            ("ODD_Y", self.y_odd),
            ("TAIL", self.tail),
            ("CENTERED", self.centered),
            ("EPS_ON_DEVIATION", self.eps_rule == EpsRule::OnDeviation),
            ("ZERO_IS_ONE", self.eps_rule == EpsRule::ZeroIsOne),
            ("ZERO_IS_ZERO", self.eps_rule == EpsRule::ZeroIsZero),
            ("OWN_Y", self.own_y),
            ("ANY_POWER", self.power == Power::Any),
            ("MAXIMUM", self.power == Power::Maximum),
            ("WEIGHT_VARIES", self.weight_varies),
            ("BY_WEIGHT", self.by_weight),
            ("WEIGHT_OF_SEGMENT", self.one_weight),
            ("GIVEN", self.given),
            ("NORM", self.is_norm()),
            ("AT_LEAST", self.eps_rule == EpsRule::AtLeast),
        ]
    }

    fn element(&self, slot: Slot) -> &'static str {
        match slot {
            Slot::X | Slot::Y | Slot::Dy | Slot::Dx => "Stored",
            Slot::Weight | Slot::Bias => match self.parameters {
                _ if self.unit == Unit::Loose => "f32",
                Parameters::Scalar => "f32",
                Parameters::Unit => "Stored",
                Parameters::Eighths | Parameters::Quarters => "Part",
            },
            Slot::RunningMean | Slot::RunningVar | Slot::Dweight | Slot::Dbias => "f32",
            Slot::Records | Slot::Sums | Slot::SumsRead | Slot::Coefficients | Slot::Corrections => "vec4<f32>",
            Slot::Moments | Slot::Parts => "vec4<u32>",
            Slot::From | Slot::To | Slot::Batches => "u32",
            Slot::XPairs | Slot::YPairs if self.sixteens => "Sixteen",
            Slot::XPairs if self.fours => "vec2<u64>",
            Slot::YPairs if self.y_fours => "vec2<u64>",
            Slot::XPairs | Slot::YPairs | Slot::WeightPairs | Slot::BiasPairs => "u64",
        }
    }

    /// The constants that the body names, and the bindings.
    fn declarations(&self, body: &str) -> String {
        let mut text = String::new();
        let named: HashSet<&str> = body.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        // Writing to a String cannot fail.
        for (name, value) in self.constants().into_iter().filter(|(name, _)| named.contains(name)) {
            let _ = writeln!(text, "const {name}: u32 = {value}u;");
        }
        for (name, value) in self.switches().into_iter().filter(|(name, _)| named.contains(name)) {
            let _ = writeln!(text, "const {name}: bool = {value};");
        }
        for binding in self.bindings() {
            let _ = writeln!(
                text,
                "@group(0) @binding({}) var<storage, {}> {}: array<{}>;",
                binding.slot.binding(),
                if binding.read_write { "read_write" } else { "read" },
                binding.slot.name(),
                self.element(binding.slot),
            );
        }
        text
    }

    fn is_norm(&self) -> bool {
        matches!(self.eps_rule, EpsRule::AtLeast | EpsRule::ZeroIsZero)
    }
}
