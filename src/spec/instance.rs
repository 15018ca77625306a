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
/// `bias` have one value per channel and are off by default, as in PyTorch.
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
