use super::axes::{Channels, Layouts};
use super::{
    Common, Normalization, OneValue, Operation, Renorm, RunningUpdate, RunningVariance, Source, common_settings,
};
use crate::error::{Result, bail};

/// Batch normalization of an N×C×… or N×…×C tensor per channel (Ioffe and Szegedy 2015; the semantics of
/// `torch.nn.BatchNorm1d` to `3d` and ONNX BatchNormalization).
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight[c] + bias[c]
/// ```
///
/// Mean and biased var are those of the batch, or with [`use_running_statistics`](Self::use_running_statistics)
/// the running ones that the caller binds. `weight`, `bias` and the running statistics have one value per channel;
/// weight and bias are on by default. x and y have a shape of rank 2 to 8; a segment, and a
/// [`Record`](crate::Record), is a channel.
///
/// With [`update_running_statistics`](Self::update_running_statistics) the call also overwrites the running ones:
///
/// ```text
/// running = (1 - rate) * running + rate * batch
/// ```
///
/// where rate is the momentum in PyTorch's convention and 1 - momentum in the others (see
/// [`Preset`](crate::Preset)), and the variance is biased or unbiased as the preset has it. Or all batches weigh the same:
/// [`cumulative_average`](Self::cumulative_average). Frozen running statistics are those that no call updates: with them,
/// [`use_running_statistics`](Self::use_running_statistics), in training too.
///
/// ```no_run
/// use wgnorm::{BatchNorm, Context, Forward, wgpu};
///
/// /// A training step of `torch.nn.BatchNorm2d(64)`, then a step in evaluation mode.
/// fn batch_norm(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     [x, y, weight, bias, mean, var]: [&wgpu::Buffer; 6],
/// ) -> wgnorm::Result<()> {
///     let norm = BatchNorm::new(&[16, 64, 56, 56]).momentum(0.1);
///     let train = norm.clone().update_running_statistics().plan(context)?;
///     let evaluate = norm.use_running_statistics().plan(context)?;
///     let workspace = context.create_workspace(train.workspace_size().max(evaluate.workspace_size()));
///     let args = Forward::new(x, y).weight(weight).bias(bias).running(mean, var).workspace(&workspace);
///     train.forward(encoder, &args)?;
///     evaluate.forward(encoder, &args)
/// }
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a rank below 2 or above 8, and for one value per
/// channel where that is refused (see [`OneValue`](crate::OneValue));
/// [`Overflow`](crate::ErrorKind::Overflow) for 2^31 elements and more;
/// [`Parameter`](crate::ErrorKind::Parameter) for an eps or a momentum that is not finite, or if running statistics
/// are to be both used and updated.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    pub(crate) channels: ChannelNorm,
    pub(crate) common: Common,
}

/// What batch and instance norm share: a shape with channels, and running statistics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelNorm {
    pub shape: Vec<usize>,
    pub layouts: Layouts,
    pub source: Source,
    pub update: bool,
    pub momentum: Option<f32>,
    pub cumulative: bool,
    pub skip_non_finite: bool,
    pub renorm: Option<Renorm>,
    pub variance: Option<RunningVariance>,
    pub one_value: Option<OneValue>,
}

impl ChannelNorm {
    pub fn new(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            layouts: Layouts::default(),
            source: Source::Input,
            update: false,
            momentum: None,
            cumulative: false,
            skip_non_finite: false,
            renorm: None,
            variance: None,
            one_value: None,
        }
    }

    /// The operation, with samples reduced (batch norm) or kept (instance norm).
    pub fn operation(&self, name: &'static str, common: &Common, eps: f32, reduce_samples: bool) -> Result<Operation> {
        let channels = Channels::new(&self.shape, self.layouts)?;
        if let Some(Renorm { ratio, shift }) = self.renorm {
            if !(ratio.is_finite() && ratio >= 1.0 && shift.is_finite() && shift >= 0.0) {
                bail!(
                    Parameter,
                    "renormalize",
                    "by up to {ratio} and {shift}: finite numbers of at least 1 and 0 are needed"
                );
            }
            if !self.update {
                bail!(
                    Parameter,
                    "renormalize",
                    "needs running statistics that are updated: update_running_statistics"
                );
            }
        }
        let mut samples = channels.samples();
        // Running statistics are per channel: the samples of an instance norm then share them.
        let reduce_samples = reduce_samples || self.source == Source::Running;
        if reduce_samples {
            samples = 1;
        }
        let mut operation = Operation {
            source: self.source,
            ..common.operation(name, channels.tensor(reduce_samples), eps)?
        };
        if self.source == Source::Running {
            if self.update {
                bail!(
                    Parameter,
                    "update_running_statistics",
                    "cannot be combined with use_running_statistics"
                );
            }
            return Ok(operation);
        }
        let values = operation.axes.iter().filter(|axis| axis.reduced);
        let length: u64 = values.map(|axis| u64::from(axis.extent)).product();
        let rule = self.one_value.unwrap_or(common.preset.one_value());
        if length == 1 && rule == OneValue::Refuse {
            bail!(
                Shape,
                "shape",
                "one value per segment has no variance to train on; one_value(OneValue::Allow) takes it"
            );
        }
        if self.update {
            let momentum = self.momentum.unwrap_or(common.preset.default_momentum());
            if !momentum.is_finite() {
                bail!(Parameter, "momentum", "is {momentum}, a finite number is needed");
            }
            operation.running = Some(RunningUpdate {
                rate: (!self.cumulative).then(|| common.preset.rate(momentum)),
                skip_non_finite: self.skip_non_finite,
                renorm: self.renorm,
                variance: self.variance.unwrap_or(common.preset.running_variance()),
                instances: samples,
                channels: channels.count(),
            });
        }
        Ok(operation)
    }
}

/// The setters over [`ChannelNorm`] that batch and instance norm share.
macro_rules! channel_settings {
    ($builder:ident) => {
        $crate::spec::axes::layout_settings!($builder, channels.layouts);

        impl $builder {
            /// Normalizes with the running statistics that the caller binds (evaluation mode). No statistics are
            /// taken, and no records are written.
            pub fn use_running_statistics(mut self) -> Self {
                self.channels.source = $crate::spec::Source::Running;
                self
            }

            /// Updates the running statistics that the caller binds (training mode): they are read and overwritten.
            /// y is normalized with those of the input.
            pub fn update_running_statistics(mut self) -> Self {
                self.channels.update = true;
                self
            }

            /// The momentum, in the preset's convention: any finite number.
            pub fn momentum(mut self, momentum: f32) -> Self {
                self.channels.momentum = Some(momentum);
                self
            }

            /// Whether the running statistics are averages over all batches, each of the same weight, instead of leaning
            /// towards the last ones by a momentum: with n batches before,
            ///
            /// ```text
            /// running = n / (n + 1) running + 1 / (n + 1) batch
            /// ```
            ///
            /// (`momentum=None` of `torch.nn.BatchNorm2d`.) The call then also binds
            /// [`batches`](crate::Forward::batches), which count n per channel on the device, from 0.
            pub fn cumulative_average(mut self, on: bool) -> Self {
                self.channels.cumulative = on;
                self
            }

            /// Whether a channel whose batch mean or variance is NaN or infinite leaves its running statistics untouched,
            /// and, where batches are counted, is not counted. Off by default, as in the frameworks.
            pub fn skip_non_finite(mut self, on: bool) -> Self {
                self.channels.skip_non_finite = on;
                self
            }

            /// Which batch variance enters the running one; the preset's when not called.
            pub fn running_variance(mut self, variance: $crate::RunningVariance) -> Self {
                self.channels.variance = Some(variance);
                self
            }

            /// Whether statistics over a single value are allowed; the preset's rule when not called.
            pub fn one_value(mut self, rule: $crate::OneValue) -> Self {
                self.channels.one_value = Some(rule);
                self
            }
        }
    };
}
pub(crate) use channel_settings;

common_settings!(BatchNorm);
channel_settings!(BatchNorm);

impl BatchNorm {
    /// Batch norm of a dense tensor of at least rank 2 with the statistics of the batch.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            channels: ChannelNorm::new(shape),
            common: Common::new(true, true),
        }
    }

    /// Batch renormalization (Ioffe 2017): y is normalized with the batch's statistics, corrected towards the running ones
    /// as they are before the call's update, so that training sees what evaluation will:
    ///
    /// ```text
    /// y = ((x - mean) / sqrt(var + eps) * ratio + shift) * weight[c] + bias[c]
    /// ratio = clip(sqrt(var + eps) / sqrt(running_var + eps), 1 / r_max, r_max)
    /// shift = clip((mean - running_mean) / sqrt(running_var + eps), -d_max, d_max)
    /// ```
    ///
    /// The paper goes from (1, 0), which is batch norm, to (3, 5) in the course of training. It needs
    /// [`update_running_statistics`](Self::update_running_statistics). The [`Record`](crate::Record)s are those of the
    /// corrected map. For the backward pass, where ratio and shift are constants, the operation is built with
    /// [`statistics`](Self::statistics), and [`corrections`](crate::Forward::corrections) keeps them, four f32 per channel
    /// of which the first two are ratio and shift.
    pub fn renormalize(mut self, r_max: f32, d_max: f32) -> Self {
        self.channels.renorm = Some(Renorm {
            ratio: r_max,
            shift: d_max,
        });
        self
    }
}

impl Normalization for BatchNorm {
    fn operation(&self) -> Result<Operation> {
        let eps = self.common.preset.batch_eps();
        self.channels.operation("batch_norm", &self.common, eps, true)
    }
}
