//! One builder per family of normalizations, and the [`Operation`] they all come down to.
//!
//! Builders hold what the caller said; [`Normalization::operation`] checks it and turns it into axes and
//! switches. A new operation is one file here and one row in the table of the crate's front page.

mod axes;
mod batch;
mod gradients;
mod group;
mod instance;
mod layer;
mod local_response;
mod lp;
mod moments;
mod preset;
mod rms;

pub use batch::BatchNorm;
pub use gradients::Gradients;
pub use group::{Affine, GroupNorm};
pub use instance::InstanceNorm;
pub use layer::LayerNorm;
pub use local_response::LocalResponseNorm;
pub use lp::{LpNorm, ZeroNorm};
pub use moments::{MeanVarianceNorm, ZScore};
pub use preset::{OneValue, Preset, RunningVariance};
pub use rms::RmsNorm;

use crate::error::{Result, bail};
use crate::geometry::{self, Axis};
use crate::tuning::Variant;
use axes::{Strides, Tensor};

/// Where the channel axis of a tensor of shape N×C, N×C×L, N×C×H×W or N×C×D×H×W lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// N×C×spatial: the channel is axis 1.
    #[default]
    ChannelsFirst,
    /// N×spatial×C: the channel is the last axis.
    ChannelsLast,
}

/// Storage type of a tensor. Arithmetic is f32 whatever the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit IEEE 754.
    #[default]
    F32,
}

impl DType {
    /// Bytes of an element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
        }
    }
}

/// What a segment is reduced to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// Mean, and the mean of the squared deviations from it.
    MeanVariance,
    /// The mean of the squares; the center is 0.
    MeanSquare,
    /// The p-norm, `sum(|x|^p)^(1/p)`, or the largest `|x|` where p is infinite; the center is 0.
    Norm {
        /// The power: above 0, or infinite.
        p: f32,
    },
    /// Nothing: every element is divided by what its neighbours along the reduced axis make.
    Window(Window),
}

/// The divisor of local response normalization: `(k + scale * sum(x^2 over the window))^beta`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Neighbours before an element.
    pub left: u32,
    /// Neighbours after it.
    pub right: u32,
    /// What the sum of the squares is multiplied by: alpha / size.
    pub scale: f32,
    /// What is added to it.
    pub k: f32,
    /// The power.
    pub beta: f32,
}

/// Where the statistics of an operation come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The input itself.
    Input,
    /// The running statistics that the caller binds, one pair per channel.
    Running,
}

/// How eps enters the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EpsRule {
    /// `1 / sqrt(var + eps)`.
    OnVariance,
    /// `1 / (sqrt(var) + eps)`: ONNX MeanVarianceNormalization.
    OnDeviation,
    /// `1 / sqrt(var + eps)`, and 1 where var + eps is 0, so that a constant segment gives 0: z-score.
    ZeroIsOne,
    /// `1 / max(norm, eps)`: `torch.nn.functional.normalize`.
    AtLeast,
    /// `1 / norm`, and 0 where the norm is 0: ONNX LpNormalization. There is no eps.
    ZeroIsZero,
}

/// Which half of the work a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Statistics and application.
    #[default]
    Whole,
    /// Only the statistics: x to [`Moments`](crate::Moments), which [`Merge`](crate::Merge) combines.
    Statistics,
    /// Only the application: x and moments to y.
    Apply,
}

/// How running statistics are updated: `new = (1 - rate) * old + rate * batch`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunningUpdate {
    /// Weight of the new batch (PyTorch's momentum; 1 - momentum elsewhere). None: all batches weigh the same, this one
    /// `1 / (batches before + 1)`.
    pub rate: Option<f32>,
    /// True if a channel whose batch statistics are not finite keeps its running ones, and does not count the batch.
    pub skip_non_finite: bool,
    /// Which variance enters.
    pub variance: RunningVariance,
    /// Batch renormalization with the running statistics before the update, if asked for.
    pub renorm: Option<Renorm>,
    /// Segments averaged into one channel's statistics: 1 for batch norm, N for instance norm.
    pub instances: u32,
    /// Number of channels.
    pub channels: u32,
}

/// How far batch renormalization may take a batch from its own statistics towards the running ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Renorm {
    /// The largest ratio of the deviations, and 1 over the smallest: r_max, at least 1.
    pub ratio: f32,
    /// The largest shift either way, in running deviations: d_max, at least 0.
    pub shift: f32,
}

/// A checked normalization: what builders make, and all that planning looks at.
///
/// A program that treats all operations alike can keep this instead of builders: [`plan`](Self::plan),
/// [`plan_statistics`](Self::plan_statistics), [`plan_apply`](Self::plan_apply) and [`candidates`](Self::candidates)
/// are its methods too. Fields may be changed before planning.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The operation's name: `"layer_norm"`.
    pub name: &'static str,
    /// The axes in the order of the shape, groups split off. Their extents are the shape; strides count elements.
    pub axes: Vec<Axis>,
    /// Elements of weight and of bias, whether or not there are any: the product of the axes that index them.
    pub weight_len: u32,
    /// What is taken of each segment.
    pub statistic: Statistic,
    /// Where the statistics come from.
    pub source: Source,
    /// Added to the variance (or the deviation), in units of x squared (or of x).
    pub eps: f32,
    /// How eps enters.
    pub eps_rule: EpsRule,
    /// Degrees of freedom taken from the divisor of the variance: 0 or 1.
    pub ddof: u32,
    /// True if y is multiplied by a weight.
    pub weight: bool,
    /// True if a bias is added to y.
    pub bias: bool,
    /// True if the statistics records are an output.
    pub statistics: bool,
    /// The update of running statistics, if asked for.
    pub running: Option<RunningUpdate>,
    /// Which half of the work is done.
    pub stage: Stage,
    /// True if the variant may not depend on the number of segments.
    pub batch_invariant: bool,
    /// The variant the caller insists on.
    pub variant: Option<Variant>,
    /// Storage type of x and y.
    pub dtype: DType,
}

impl Operation {
    /// Number of elements of x and of y.
    pub(crate) fn elements(&self) -> Result<u32> {
        geometry::product(self.axes.iter().map(|axis| axis.extent), "shape")
    }

    /// Its batch renormalization, if it has one.
    pub(crate) fn renorm(&self) -> Option<Renorm> {
        self.running.and_then(|running| running.renorm)
    }

    /// Number of segments.
    pub(crate) fn segments(&self) -> Result<u32> {
        let kept = self.axes.iter().filter(|axis| !axis.reduced);
        geometry::product(kept.map(|axis| axis.extent), "shape")
    }
}

/// A builder that can be turned into an [`Operation`].
pub trait Normalization {
    /// Checks the builder's settings.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape), [`Overflow`](crate::ErrorKind::Overflow) or
    /// [`Parameter`](crate::ErrorKind::Parameter), naming the setting.
    fn operation(&self) -> Result<Operation>;
}

/// Settings that every builder has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Common {
    pub preset: Preset,
    pub eps: Option<f32>,
    pub weight: bool,
    pub bias: bool,
    pub statistics: bool,
    pub batch_invariant: bool,
    pub variant: Option<Variant>,
    pub dtype: DType,
    pub weight_axes: Option<Vec<isize>>,
    pub strides: Strides,
}

impl Common {
    pub fn new(weight: bool, bias: bool) -> Self {
        Self {
            preset: Preset::default(),
            eps: None,
            weight,
            bias,
            statistics: false,
            batch_invariant: false,
            variant: None,
            dtype: DType::F32,
            weight_axes: None,
            strides: Strides::default(),
        }
    }

    /// The operation that these settings and a tensor make; the families change what they do differently.
    pub fn operation(&self, name: &'static str, mut tensor: Tensor, default_eps: f32) -> Result<Operation> {
        let eps = self.eps.unwrap_or(default_eps);
        if !eps.is_finite() {
            bail!(Parameter, "eps", "is {eps}, a finite number is needed");
        }
        if eps < 0.0 && !self.preset.allows_negative_eps() {
            bail!(
                Parameter,
                "eps",
                "is {eps}; only the PyTorch preset takes a negative one (NaN where var + eps is negative)"
            );
        }
        if let Some(axes) = &self.weight_axes {
            tensor.weigh_axes(axes)?;
        }
        let axes = tensor.axes(&self.strides)?;
        geometry::product(axes.iter().map(|axis| axis.extent), "shape")?;
        let weight_len = geometry::product(
            axes.iter().filter(|axis| axis.weight > 0).map(|axis| axis.extent),
            "weight",
        )?;
        Ok(Operation {
            name,
            axes,
            weight_len,
            statistic: Statistic::MeanVariance,
            source: Source::Input,
            eps,
            eps_rule: EpsRule::OnVariance,
            ddof: 0,
            weight: self.weight,
            bias: self.bias,
            statistics: self.statistics,
            running: None,
            stage: Stage::Whole,
            batch_invariant: self.batch_invariant,
            variant: self.variant,
            dtype: self.dtype,
        })
    }
}

/// The setters over [`Common`] that every builder shares.
macro_rules! common_settings {
    ($builder:ident) => {
        impl $builder {
            /// Takes defaults and conventions from a framework: see [`Preset`](crate::Preset). Settings made explicitly
            /// stay.
            pub fn preset(mut self, preset: $crate::Preset) -> Self {
                self.common.preset = preset;
                self
            }

            /// The number added to the variance (or to the deviation); the preset's when not called. It must be finite,
            /// and not negative but for [`Preset::PyTorch`](crate::Preset::PyTorch), where y is NaN if var + eps is
            /// negative.
            pub fn eps(mut self, eps: f32) -> Self {
                self.common.eps = Some(eps);
                self
            }

            /// Whether y is multiplied by a weight, which the call then binds.
            pub fn weight(mut self, on: bool) -> Self {
                self.common.weight = on;
                self
            }

            /// Whether a bias is added to y, which the call then binds.
            pub fn bias(mut self, on: bool) -> Self {
                self.common.bias = on;
                self
            }

            /// Whether the statistics of every segment are written, as [`Record`](crate::Record)s in row-major
            /// order of the kept axes, into a buffer that the call then binds. Off by default.
            pub fn statistics(mut self, on: bool) -> Self {
                self.common.statistics = on;
                self
            }

            /// Whether a segment's result must have the same bits however many segments there are: the
            /// variant is then chosen without looking at their number.
            pub fn batch_invariant(mut self, on: bool) -> Self {
                self.common.batch_invariant = on;
                self
            }

            /// Insists on a [`Variant`](crate::Variant) instead of the planner's choice.
            pub fn variant(mut self, variant: impl Into<Option<$crate::Variant>>) -> Self {
                self.common.variant = variant.into();
                self
            }

            /// The axes of the shape that index weight and bias, which then have the shape of those axes in increasing
            /// order: any of the reduced and kept ones (Keras' `axis` lists, Flax' `feature_axes`), none for a single
            /// value. Negative ones count from the end. Not called, each operation has its own.
            pub fn weight_axes(mut self, axes: &[isize]) -> Self {
                self.common.weight_axes = Some(axes.to_vec());
                self
            }

            /// The distance in x between neighbours along each axis of the shape, in elements, where x is not dense and
            /// row-major: rows with a pitch, a slice of channels, Q within rows of QKV, axes permuted in memory, 0 for
            /// an axis that is broadcast.
            ///
            /// Strides are planned, not bound, since they decide which kernels run.
            pub fn input_strides(mut self, strides: &[usize]) -> Self {
                self.common.strides.x = Some(strides.to_vec());
                self
            }

            /// The distance in y between neighbours along each axis of the shape; y is dense and row-major when not
            /// called, whatever x is. No two elements may share a place.
            pub fn output_strides(mut self, strides: &[usize]) -> Self {
                self.common.strides.y = Some(strides.to_vec());
                self
            }

            /// Storage type of x and y: [`DType::F32`](crate::DType::F32).
            pub fn dtype(mut self, dtype: $crate::DType) -> Self {
                self.common.dtype = dtype;
                self
            }
        }
    };
}
pub(crate) use common_settings;

/// An operation over `segments` segments of one value each, for kernels that only see their moments.
pub(crate) fn reduce_nothing(name: &'static str, segments: usize) -> Result<Operation> {
    geometry::extents(&[segments], "segments")?;
    Common::new(false, false).operation(name, Tensor::new(&[segments])?, 0.0)
}
