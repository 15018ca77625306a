use super::batch::{ChannelNorm, channel_settings};
use super::{Common, Normalization, Operation, common_settings};
use crate::error::Result;

/// Instance normalization of an N×C×… or N×…×C tensor per sample and channel (Ulyanov, Vedaldi and Lempitsky
/// 2016; the semantics of `torch.nn.InstanceNorm1d` to `3d` and ONNX InstanceNormalization).
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight[c] + bias[c]
/// ```
///
/// with mean and biased var over the spatial axes, or with
/// [`use_running_statistics`](Self::use_running_statistics) the running ones of the channel. Updated running
/// statistics take the average over the samples of their means and variances, as PyTorch does. `weight` and
/// `bias` have one value per channel and are off by default, as in PyTorch. x and y have a shape of rank 2 to 8; a
/// segment, and a [`Record`](crate::Record), is a channel of a sample, in `[sample][channel]` order.
///
/// ```no_run
/// use wgnorm::{Context, Forward, InstanceNorm, Layout, wgpu};
///
/// /// Eight images of 256 x 256 RGB pixels, interleaved.
/// fn instance_norm(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     [x, y]: [&wgpu::Buffer; 2],
/// ) -> wgnorm::Result<()> {
///     let plan = InstanceNorm::new(&[8, 256, 256, 3]).layout(Layout::ChannelsLast).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size());
///     plan.forward(encoder, &Forward::new(x, y).workspace(&workspace))
/// }
/// ```
///
/// # Errors
/// Those of [`BatchNorm`](crate::BatchNorm); and [`ErrorKind::Limit`](crate::ErrorKind::Limit) where running
/// statistics are updated from more than 60,000 samples.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceNorm {
    pub(crate) channels: ChannelNorm,
    pub(crate) common: Common,
}

common_settings!(InstanceNorm);
channel_settings!(InstanceNorm);

impl InstanceNorm {
    /// Instance norm of a dense tensor of at least rank 2 with the statistics of each instance.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            channels: ChannelNorm::new(shape),
            common: Common::new(false, false),
        }
    }
}

impl Normalization for InstanceNorm {
    fn operation(&self) -> Result<Operation> {
        let eps = self.common.preset.sample_eps();
        self.channels.operation("instance_norm", &self.common, eps, false)
    }
}
