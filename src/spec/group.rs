use super::axes::{Channels, Layouts, layout_settings};
use super::{Common, Normalization, Operation, common_settings};
use crate::error::{Result, bail};

/// What weight and bias of a group norm are indexed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Affine {
    /// One value per channel: PyTorch, ONNX opset 21, Keras, Flax.
    #[default]
    PerChannel,
    /// One value per group: ONNX opset 18.
    PerGroup,
}

/// Group normalization of an N×C×… or N×…×C tensor per sample and group of channels (Wu and He 2018; the
/// semantics of `torch.nn.GroupNorm` and ONNX GroupNormalization).
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight[c] + bias[c]
/// ```
///
/// with mean and biased var over the C / groups channels of a group and the spatial axes. `weight` and `bias`
/// have one value per channel (or per group, see [`Affine`]) and are on by default. x and y have a shape of rank 2 to
/// 8; a segment, and a [`Record`](crate::Record), is a group of a sample, in `[sample][group]` order. Group g holds
/// the channels from g C / groups on.
///
/// ```no_run
/// use wgnorm::{Context, Forward, GroupNorm, wgpu};
///
/// /// `torch.nn.GroupNorm(32, 320)` of latents.
/// fn group_norm(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     [x, weight, bias, y]: [&wgpu::Buffer; 4],
/// ) -> wgnorm::Result<()> {
///     let plan = GroupNorm::new(&[2, 320, 64, 64], 32).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size());
///     plan.forward(encoder, &Forward::new(x, y).weight(weight).bias(bias).workspace(&workspace))
/// }
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a rank below 2 or above 8, and for groups that do not
/// divide the channels; [`Overflow`](crate::ErrorKind::Overflow) and [`Parameter`](crate::ErrorKind::Parameter) as for
/// [`LayerNorm`](crate::LayerNorm).
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNorm {
    shape: Vec<usize>,
    groups: usize,
    layouts: Layouts,
    affine: Affine,
    pub(crate) common: Common,
}

common_settings!(GroupNorm);
layout_settings!(GroupNorm, layouts);

impl GroupNorm {
    /// Group norm of a dense tensor of at least rank 2; `groups` must divide the channels.
    pub fn new(shape: &[usize], groups: usize) -> Self {
        Self {
            shape: shape.to_vec(),
            groups,
            layouts: Layouts::default(),
            affine: Affine::PerChannel,
            common: Common::new(true, true),
        }
    }

    /// What weight and bias are indexed by.
    pub fn affine(mut self, affine: Affine) -> Self {
        self.affine = affine;
        self
    }
}

impl Normalization for GroupNorm {
    fn operation(&self) -> Result<Operation> {
        let channels = Channels::new(&self.shape, self.layouts)?;
        let groups = match u32::try_from(self.groups) {
            Ok(groups) if groups > 0 && channels.count().is_multiple_of(groups) => groups,
            _ => bail!(
                Shape,
                "groups",
                "{} does not divide the {} channels",
                self.groups,
                channels.count()
            ),
        };
        let tensor = channels.grouped(groups, self.affine == Affine::PerChannel);
        self.common
            .operation("group_norm", tensor, self.common.preset.sample_eps())
    }
}
