use super::layer::Axes;
use super::{Common, Normalization, Operation, Statistic, common_settings};
use crate::error::Result;

/// Root mean square normalization over the trailing axes (Zhang and Sennrich 2019; the semantics of
/// `torch.nn.RMSNorm` and ONNX RMSNormalization).
///
/// ```text
/// y = x / sqrt(mean(x^2) + eps) * weight + bias
/// ```
///
/// over the axes from [`axis`](Self::axis) on. The weight has the shape of those axes and is on by default; a
/// bias (which the frameworks lack) is off. In the [`Record`](crate::Record)s the mean is 0 and r is the reciprocal
/// of the root. Shapes and errors are those of [`LayerNorm`](crate::LayerNorm).
///
/// ```no_run
/// use wgnorm::{Context, Forward, RmsNorm, wgpu};
///
/// /// Normalizes the activations of `tokens` tokens in place; one plan serves any number of them.
/// fn rms_norm(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     [activations, weight]: [&wgpu::Buffer; 2],
///     tokens: usize,
/// ) -> wgnorm::Result<()> {
///     let plan = RmsNorm::new(&[512, 4096]).eps(1e-6).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size_at(tokens)?);
///     let args = Forward::in_place(activations).weight(weight).workspace(&workspace);
///     plan.forward(encoder, &args.outer_extent(tokens))
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNorm {
    shape: Vec<usize>,
    axes: Axes,
    pub(crate) common: Common,
}

common_settings!(RmsNorm);

impl RmsNorm {
    /// RMS norm over the last axis of a dense row-major tensor.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: Axes::From(-1),
            common: Common::new(true, false),
        }
    }

    /// The first normalized axis; all after it are normalized too. Negative axes count from the end.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axes = Axes::From(axis);
        self
    }

    /// The normalized axes, any of them, each named once: the channels of N×C×H×W are `[1]`. Negative axes count from
    /// the end. Weight and bias have the shape of those axes in increasing order, unless
    /// [`weight_axes`](Self::weight_axes) says otherwise.
    pub fn axes(mut self, axes: &[isize]) -> Self {
        self.axes = Axes::These(axes.to_vec());
        self
    }
}

impl Normalization for RmsNorm {
    fn operation(&self) -> Result<Operation> {
        let tensor = self.axes.tensor(&self.shape)?;
        Ok(Operation {
            statistic: Statistic::MeanSquare,
            ..self
                .common
                .operation("rms_norm", tensor, self.common.preset.rms_eps())?
        })
    }
}
