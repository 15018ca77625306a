//! A normalization with its inputs, and the builder call it stands for.

use crate::error::{Result, bail};
use crate::spec::{Operation, Source};
use crate::{
    Affine, BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, LpNorm, MeanVarianceNorm,
    Normalization, OneValue, Preset, RmsNorm, RunningVariance, ZScore, ZeroNorm,
};

/// One normalization with all its inputs.
///
/// Whether there is a weight, a bias or a pair of running statistics follows from the tensors that are given.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Name in reports, unique within a run.
    pub id: String,
    /// The operation and its parameters.
    pub norm: Norm,
    /// Shape of x, in memory order.
    pub shape: Vec<usize>,
    /// Where the channel axis lies; only batch, instance and group norm look at it.
    pub layout: Layout,
    /// Conventions of eps and momentum.
    pub preset: Preset,
    /// Explicit eps; the preset's when `None`.
    pub eps: Option<f32>,
    /// The input, dense and row-major.
    pub x: Vec<f32>,
    /// The gradient of the loss with respect to y, in the order of x, where the backward pass is asked for.
    pub dy: Option<Vec<f32>>,
    /// The weight, if any.
    pub weight: Option<Vec<f32>>,
    /// The bias, if any.
    pub bias: Option<Vec<f32>>,
    /// Running mean and variance before the call, one value per channel.
    pub running: Option<(Vec<f32>, Vec<f32>)>,
    /// The axes that index weight and bias; the operation's own when `None`.
    pub weight_axes: Option<Vec<usize>>,
    /// How x lies in memory, as distances between neighbours along each axis; densely when `None`.
    pub input_strides: Option<Vec<usize>>,
    /// How y lies in memory; densely when `None`.
    pub output_strides: Option<Vec<usize>>,
}

/// The operation of a [`Case`].
#[derive(Debug, Clone, PartialEq)]
pub enum Norm {
    /// [`LayerNorm`] over `axes`.
    Layer {
        /// Normalized axes.
        axes: Vec<usize>,
    },
    /// [`RmsNorm`] over `axes`.
    Rms {
        /// Normalized axes.
        axes: Vec<usize>,
    },
    /// [`BatchNorm`].
    Batch(Running),
    /// [`InstanceNorm`].
    Instance(Running),
    /// [`GroupNorm`].
    Group {
        /// Number of groups.
        groups: usize,
        /// What weight and bias are indexed by.
        affine: Affine,
    },
    /// [`ZScore`] over `axes`.
    ZScore {
        /// Reduced axes.
        axes: Vec<usize>,
        /// Degrees of freedom taken from the divisor.
        ddof: u32,
    },
    /// [`MeanVarianceNorm`] over `axes`.
    MeanVariance {
        /// Reduced axes.
        axes: Vec<usize>,
    },
    /// [`LpNorm`] over `axes`.
    Lp {
        /// Normalized axes.
        axes: Vec<usize>,
        /// The power, or infinity.
        p: f32,
        /// What becomes of a norm of 0.
        zero: ZeroNorm,
    },
    /// [`LocalResponseNorm`]; which way its window leans is the preset's.
    LocalResponse {
        /// Channels of the window.
        size: usize,
        /// What the mean square is multiplied by.
        alpha: f32,
        /// The power of the divisor.
        beta: f32,
        /// What is added to the mean square.
        k: f32,
    },
}

/// What a batch or instance norm does with running statistics.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Running {
    /// Normalizes with them (evaluation).
    pub use_running: bool,
    /// Updates them (training).
    pub update: Option<Update>,
}

/// How running statistics are updated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// In the convention of the case's preset.
    pub momentum: f32,
    /// Which batch variance enters; the preset's when `None`.
    pub variance: Option<RunningVariance>,
}

impl Norm {
    /// The running statistics' part, for the operations that have one.
    pub fn running(&self) -> Option<&Running> {
        match self {
            Self::Batch(running) | Self::Instance(running) => Some(running),
            _ => None,
        }
    }

    /// Layer norm over `axis` and all axes after it, of a tensor of rank `rank`.
    pub fn layer(axis: usize, rank: usize) -> Self {
        Self::Layer {
            axes: (axis..rank).collect(),
        }
    }

    /// RMS norm over `axis` and all axes after it, of a tensor of rank `rank`.
    pub fn rms(axis: usize, rank: usize) -> Self {
        Self::Rms {
            axes: (axis..rank).collect(),
        }
    }

    /// True if y is computed with running statistics, so that the call takes none of its own.
    pub fn uses_running(&self) -> bool {
        self.running().is_some_and(|running| running.use_running)
    }

    /// True if the call takes statistics of x.
    pub fn takes_statistics(&self) -> bool {
        !self.uses_running() && !matches!(self, Self::LocalResponse { .. })
    }

    /// True if y may overwrite x: if an element of y depends on no other than through its segment's statistics.
    pub(super) fn may_be_in_place(&self) -> bool {
        !matches!(self, Self::LocalResponse { .. })
    }

    /// True if y without weight and bias is x times a factor, so that its error is relative.
    pub(super) fn is_product(&self) -> bool {
        matches!(self, Self::Lp { .. } | Self::LocalResponse { .. })
    }

    /// True if the operation has a channel axis, and with it a [`Layout`].
    pub fn has_channels(&self) -> bool {
        matches!(
            self,
            Self::Batch(_) | Self::Instance(_) | Self::Group { .. } | Self::LocalResponse { .. }
        )
    }
}

/// The settings that every builder has, from a case.
macro_rules! with_common {
    ($builder:expr, $case:expr) => {{
        let mut builder = $builder
            .preset($case.preset)
            .weight($case.weight.is_some())
            .bias($case.bias.is_some())
            .statistics($case.norm.takes_statistics());
        if let Some(eps) = $case.eps {
            builder = builder.eps(eps);
        }
        if let Some(axes) = &$case.weight_axes {
            builder = builder.weight_axes(&signed_all(axes));
        }
        if let Some(strides) = &$case.input_strides {
            builder = builder.input_strides(strides);
        }
        if let Some(strides) = &$case.output_strides {
            builder = builder.output_strides(strides);
        }
        builder
    }};
}

/// The settings that batch and instance norm share, from a case.
macro_rules! with_channels {
    ($builder:expr, $case:expr, $running:expr) => {{
        let mut builder = with_common!($builder, $case)
            .layout($case.layout)
            .one_value(OneValue::Allow);
        if $running.use_running {
            builder = builder.use_running_statistics();
        }
        if let Some(update) = $running.update {
            builder = builder.update_running_statistics().momentum(update.momentum);
            if let Some(variance) = update.variance {
                builder = builder.running_variance(variance);
            }
        }
        builder.operation()
    }};
}

impl Case {
    /// The operation's name: `"layer_norm"`.
    pub fn name(&self) -> &'static str {
        match self.norm {
            Norm::Layer { .. } => "layer_norm",
            Norm::Rms { .. } => "rms_norm",
            Norm::Batch(_) => "batch_norm",
            Norm::Instance(_) => "instance_norm",
            Norm::Group { .. } => "group_norm",
            Norm::ZScore { .. } => "z_score",
            Norm::MeanVariance { .. } => "mean_variance_norm",
            Norm::Lp { .. } => "lp_norm",
            Norm::LocalResponse { .. } => "local_response_norm",
        }
    }

    /// The channel axis, for the operations that have one.
    pub fn channel_axis(&self) -> Option<usize> {
        self.norm.has_channels().then(|| match self.layout {
            Layout::ChannelsFirst => 1,
            Layout::ChannelsLast => self.shape.len().saturating_sub(1),
        })
    }

    /// Number of channels, for the operations that have them.
    pub fn channels(&self) -> Option<usize> {
        self.shape.get(self.channel_axis()?).copied()
    }

    /// The checked operation, with statistics as an output unless running ones are used and with one value per
    /// channel allowed.
    ///
    /// # Errors
    /// Those of the builder; [`ErrorKind::Size`](crate::ErrorKind::Size) where a tensor does not have the
    /// length that the operation implies, [`ErrorKind::Argument`](crate::ErrorKind::Argument) where running
    /// statistics are missing.
    pub fn operation(&self) -> Result<Operation> {
        let operation = self.described()?;
        self.check_lengths(&operation)?;
        Ok(operation)
    }

    /// As [`operation`](Self::operation), whatever the lengths of the tensors are: x may be left empty where only a plan
    /// is wanted.
    ///
    /// # Errors
    /// Those of the builder.
    pub fn described(&self) -> Result<Operation> {
        let shape = &self.shape;
        match &self.norm {
            Norm::Layer { axes } => with_common!(LayerNorm::new(shape).axes(&signed_all(axes)), self).operation(),
            Norm::Rms { axes } => with_common!(RmsNorm::new(shape).axes(&signed_all(axes)), self).operation(),
            Norm::Batch(running) => with_channels!(BatchNorm::new(shape), self, running),
            Norm::Instance(running) => with_channels!(InstanceNorm::new(shape), self, running),
            &Norm::Group { groups, affine } => {
                let builder = GroupNorm::new(shape, groups).layout(self.layout).affine(affine);
                with_common!(builder, self).operation()
            }
            Norm::ZScore { axes, ddof } => {
                with_common!(ZScore::new(shape, &signed_all(axes)).ddof(*ddof), self).operation()
            }
            Norm::MeanVariance { axes } => {
                with_common!(MeanVarianceNorm::new(shape, &signed_all(axes)), self).operation()
            }
            Norm::Lp { axes, p, zero } => {
                let builder = LpNorm::new(shape, &signed_all(axes)).p(*p).zero_norm(*zero);
                with_common!(builder, self).operation()
            }
            &Norm::LocalResponse { size, alpha, beta, k } => {
                let builder = LocalResponseNorm::new(shape, size).alpha(alpha).beta(beta).k(k);
                with_common!(builder.layout(self.layout), self).operation()
            }
        }
    }

    fn check_lengths(&self, operation: &Operation) -> Result<()> {
        let weight_len = operation.weight_len as usize;
        check_length("x", self.x.len(), self.shape.iter().product())?;
        if let Some(dy) = &self.dy {
            check_length("dy", dy.len(), self.x.len())?;
        }
        for (name, tensor) in [("weight", &self.weight), ("bias", &self.bias)] {
            if let Some(tensor) = tensor {
                check_length(name, tensor.len(), weight_len)?;
            }
        }
        let channels = self.channels().unwrap_or(0);
        match &self.running {
            Some((mean, var)) => {
                check_length("running_mean", mean.len(), channels)?;
                check_length("running_var", var.len(), channels)
            }
            None if operation.source == Source::Running || operation.running.is_some() => {
                bail!(Argument, "running_mean", "is missing, the case uses or updates it")
            }
            None => Ok(()),
        }
    }

    /// The case with subnormal inputs replaced by zeros of their sign; `None` if it has no subnormals.
    ///
    /// WGSL lets an adapter flush subnormals, so a result is right if it is right for either.
    pub fn flushed(&self) -> Option<Self> {
        let mut flushed = self.clone();
        let running = flushed.running.as_mut().map(|(mean, var)| [mean, var]);
        let tensors = [
            Some(&mut flushed.x),
            flushed.dy.as_mut(),
            flushed.weight.as_mut(),
            flushed.bias.as_mut(),
        ];
        let mut found = false;
        for value in tensors
            .into_iter()
            .flatten()
            .chain(running.into_iter().flatten())
            .flatten()
        {
            if value.is_subnormal() {
                *value = 0f32.copysign(*value);
                found = true;
            }
        }
        found.then_some(flushed)
    }
}

fn check_length(argument: &'static str, actual: usize, needed: usize) -> Result<()> {
    if actual != needed {
        bail!(Size, argument, "has {actual} elements, {needed} are needed");
    }
    Ok(())
}

/// An axis as the builders take it. One that does not fit is out of range, and is refused as such.
fn signed(axis: usize) -> isize {
    isize::try_from(axis).unwrap_or(isize::MAX)
}

fn signed_all(axes: &[usize]) -> Vec<isize> {
    axes.iter().copied().map(signed).collect()
}
