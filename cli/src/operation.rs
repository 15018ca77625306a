//! The flags that say which normalization: shared by `norm`, `plan` and `bench`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use wgnorm::spec::Operation;
use wgnorm::verify::{Case, Norm, Running};
use wgnorm::{Affine, Layout, Preset, Variant, ZeroNorm};

use crate::failure::{Failure, Result};

/// Where help lists what says which normalization.
const HELP_HEADING: &str = "Normalization";

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Layer norm over the trailing axes from --axis on, or over --axes.
    Layer,
    /// Root mean square norm over the trailing axes from --axis on, or over --axes.
    Rms,
    /// Batch norm per channel.
    Batch,
    /// Instance norm per sample and channel.
    Instance,
    /// Group norm per sample and group of channels (--groups).
    Group,
    /// Z-score over --axes (default 0: the columns of a table); a constant segment gives 0.
    Zscore,
    /// ONNX MeanVarianceNormalization over --axes (default 0,2,3); eps is added to the standard deviation.
    Mvn,
    /// Lp (unit) normalization over --axes (default -1): x divided by its --p norm.
    Lp,
    /// Local response norm across --size neighbouring channels.
    Lrn,
}

impl Op {
    /// The operation's name in the library and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer_norm",
            Self::Rms => "rms_norm",
            Self::Batch => "batch_norm",
            Self::Instance => "instance_norm",
            Self::Group => "group_norm",
            Self::Zscore => "z_score",
            Self::Mvn => "mean_variance_norm",
            Self::Lp => "lp_norm",
            Self::Lrn => "local_response_norm",
        }
    }
}

#[derive(Args, Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// First normalized axis of layer and rms; all after it are normalized too. Negative axes count from the end.
    #[arg(long, help_heading = HELP_HEADING, value_name = "N", allow_negative_numbers = true)]
    pub axis: Option<isize>,

    /// Normalized axes of layer, rms, zscore, mvn and lp, such as 0,2. Negative axes count from the end.
    #[arg(long, help_heading = HELP_HEADING, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub axes: Vec<isize>,

    /// Axes that index weight and bias, such as 1,3, where not the operation's own. Negative axes count from the end.
    #[arg(long, help_heading = HELP_HEADING, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub weight_axes: Option<Vec<isize>>,

    /// The power of lp: a number above 0, or inf for the largest magnitude. Default: 2.
    #[arg(long, help_heading = HELP_HEADING, value_name = "P")]
    pub p: Option<f32>,

    /// What becomes of a norm of 0 in lp: the divisor is eps, or y is 0; the preset's rule when not given.
    #[arg(long, help_heading = HELP_HEADING, value_enum)]
    pub zero_norm: Option<ZeroName>,

    /// Channels of the window of lrn.
    #[arg(long, help_heading = HELP_HEADING, value_name = "N")]
    pub size: Option<usize>,

    /// What lrn multiplies the mean square of the window by. Default: 0.0001.
    #[arg(long, help_heading = HELP_HEADING, value_name = "A", allow_negative_numbers = true)]
    pub alpha: Option<f32>,

    /// The power of the divisor of lrn. Default: 0.75.
    #[arg(long, help_heading = HELP_HEADING, value_name = "B", allow_negative_numbers = true)]
    pub beta: Option<f32>,

    /// What lrn adds to the scaled mean square. Default: 1.
    #[arg(long, help_heading = HELP_HEADING, value_name = "K", allow_negative_numbers = true)]
    pub k: Option<f32>,

    /// Number of groups of the group norm; must divide the channels.
    #[arg(long, help_heading = HELP_HEADING, value_name = "G")]
    pub groups: Option<usize>,

    /// Where the channels of batch, instance, group and local response norm lie: nchw is axis 1 of N×C×…, nhwc the last of N×…×C, for
    /// any number of spatial axes.
    #[arg(long, help_heading = HELP_HEADING, value_enum)]
    pub layout: Option<LayoutName>,

    /// Number added to the variance (mvn: to the standard deviation); the preset's when not given.
    #[arg(long, help_heading = HELP_HEADING, value_name = "E", allow_negative_numbers = true)]
    pub eps: Option<f32>,

    /// Framework whose defaults and conventions apply.
    #[arg(long, help_heading = HELP_HEADING, value_enum)]
    pub preset: Option<PresetName>,

    /// Degrees of freedom taken from the divisor of the z-score's variance: 0 (scikit-learn) or 1 (R, pandas).
    #[arg(long, help_heading = HELP_HEADING, value_name = "N")]
    pub ddof: Option<u32>,

    /// What weight and bias of the group norm are indexed by.
    #[arg(long, help_heading = HELP_HEADING, value_enum)]
    pub affine: Option<AffineName>,

    /// Kernel variant to insist on instead of the planner's choice.
    #[arg(long, help_heading = HELP_HEADING, value_name = "V", value_parser = variant_parser())]
    pub variant: Option<Variant>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutName {
    Nchw,
    Nhwc,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresetName {
    Pytorch,
    Onnx,
    Keras,
    Flax,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffineName {
    Channel,
    Group,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroName {
    Eps,
    Zero,
}

/// The float tensors that a normalization takes beside x.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    pub weight: Option<Vec<f32>>,
    pub bias: Option<Vec<f32>>,
    /// Running mean and variance to normalize with.
    pub running: Option<(Vec<f32>, Vec<f32>)>,
}

fn variant_parser() -> impl TypedValueParser<Value = Variant> {
    PossibleValuesParser::new(Variant::ALL.map(Variant::name)).try_map(|name| name.parse::<Variant>())
}

impl Settings {
    pub fn layout(&self) -> Layout {
        match self.layout {
            Some(LayoutName::Nhwc) => Layout::ChannelsLast,
            Some(LayoutName::Nchw) | None => Layout::ChannelsFirst,
        }
    }

    fn preset(&self) -> Preset {
        match self.preset {
            Some(PresetName::Pytorch) | None => Preset::PyTorch,
            Some(PresetName::Onnx) => Preset::Onnx,
            Some(PresetName::Keras) => Preset::Keras,
            Some(PresetName::Flax) => Preset::Flax,
        }
    }

    /// The operation on a tensor of `shape`, for planning: with neither weight nor bias nor saved statistics.
    pub fn operation(&self, op: Op, shape: &[usize]) -> Result<Operation> {
        let case = self.case(op, shape, Vec::new(), Parameters::default())?;
        Ok(Operation {
            statistics: false,
            variant: self.variant,
            ..case.described()?
        })
    }

    /// The case that `op` and these settings make of a tensor.
    pub fn case(&self, op: Op, shape: &[usize], x: Vec<f32>, parameters: Parameters) -> Result<Case> {
        let running = Running {
            use_running: parameters.running.is_some(),
            update: None,
        };
        if parameters.running.is_some() && !matches!(op, Op::Batch | Op::Instance) {
            return Err(Failure::input(format!("{} takes no running statistics", op.name())));
        }
        let norm = self.norm(op, shape.len(), running)?;
        Ok(Case {
            id: op.name().into(),
            norm,
            shape: shape.to_vec(),
            layout: self.layout(),
            preset: self.preset(),
            eps: self.eps,
            x,
            dy: None,
            weight: parameters.weight,
            bias: parameters.bias,
            running: parameters.running,
            weight_axes: match &self.weight_axes {
                Some(axes) => Some(
                    axes.iter()
                        .map(|&axis| resolve(axis, shape.len()))
                        .collect::<Result<_>>()?,
                ),
                None => None,
            },
            input_strides: None,
            output_strides: None,
        })
    }

    fn norm(&self, op: Op, rank: usize, running: Running) -> Result<Norm> {
        self.refuse_foreign(op)?;
        Ok(match op {
            Op::Layer => Norm::Layer {
                axes: self.normalized(rank)?,
            },
            Op::Rms => Norm::Rms {
                axes: self.normalized(rank)?,
            },
            Op::Batch => Norm::Batch(running),
            Op::Instance => Norm::Instance(running),
            Op::Group => Norm::Group {
                groups: self.groups.ok_or_else(|| Failure::input("group norm needs --groups"))?,
                affine: match self.affine {
                    Some(AffineName::Group) => Affine::PerGroup,
                    Some(AffineName::Channel) | None => Affine::PerChannel,
                },
            },
            Op::Zscore => Norm::ZScore {
                axes: self.axes_or(&[0], rank)?,
                ddof: self.ddof.unwrap_or(0),
            },
            Op::Mvn => Norm::MeanVariance {
                axes: self.axes_or(&[0, 2, 3], rank)?,
            },
            Op::Lp => Norm::Lp {
                axes: self.axes_or(&[-1], rank)?,
                p: self.p.unwrap_or(2.0),
                zero: match (self.zero_norm, self.preset()) {
                    (Some(ZeroName::Zero), _) | (None, Preset::Onnx) => ZeroNorm::Zero,
                    (Some(ZeroName::Eps), _) | (None, _) => ZeroNorm::AtLeastEps,
                },
            },
            Op::Lrn => Norm::LocalResponse {
                size: self
                    .size
                    .ok_or_else(|| Failure::input("local response norm needs --size"))?,
                alpha: self.alpha.unwrap_or(1e-4),
                beta: self.beta.unwrap_or(0.75),
                k: self.k.unwrap_or(1.0),
            },
        })
    }

    /// The axes from --axis on, or those of --axes.
    fn normalized(&self, rank: usize) -> Result<Vec<usize>> {
        match (self.axis, self.axes.is_empty()) {
            (Some(_), false) => Err(Failure::input("--axis and --axes exclude each other")),
            (_, false) => self.axes_or(&[], rank),
            (axis, true) => Ok((resolve(axis.unwrap_or(-1), rank)?..rank).collect()),
        }
    }

    fn axes_or(&self, default: &[isize], rank: usize) -> Result<Vec<usize>> {
        let axes = if self.axes.is_empty() { default } else { &self.axes };
        axes.iter().map(|&axis| resolve(axis, rank)).collect()
    }

    /// A setting that the operation would ignore is a mistake of the caller.
    fn refuse_foreign(&self, op: Op) -> Result<()> {
        let channels = matches!(op, Op::Batch | Op::Instance | Op::Group | Op::Lrn);
        let given = [
            ("--axis", self.axis.is_some(), matches!(op, Op::Layer | Op::Rms)),
            ("--axes", !self.axes.is_empty(), !channels),
            ("--p", self.p.is_some(), op == Op::Lp),
            ("--zero-norm", self.zero_norm.is_some(), op == Op::Lp),
            ("--size", self.size.is_some(), op == Op::Lrn),
            ("--alpha", self.alpha.is_some(), op == Op::Lrn),
            ("--beta", self.beta.is_some(), op == Op::Lrn),
            ("--k", self.k.is_some(), op == Op::Lrn),
            ("--groups", self.groups.is_some(), op == Op::Group),
            ("--affine", self.affine.is_some(), op == Op::Group),
            ("--layout", self.layout.is_some(), channels),
            ("--ddof", self.ddof.is_some(), op == Op::Zscore),
        ];
        match given.iter().find(|(_, given, taken)| *given && !taken) {
            Some((flag, ..)) => Err(Failure::input(format!("{flag} has no meaning for {}", op.name()))),
            None => Ok(()),
        }
    }
}

fn resolve(axis: isize, rank: usize) -> Result<usize> {
    let resolved = if axis < 0 { axis + rank as isize } else { axis };
    usize::try_from(resolved)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Failure::input(format!("axis {axis} is out of range for a tensor of rank {rank}")))
}
