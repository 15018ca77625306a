use super::axes::Tensor;
use super::{Common, Normalization, Operation, common_settings};
use crate::error::Result;

/// Layer normalization over the trailing axes (Ba, Kiros and Hinton 2016; the semantics of `torch.nn.LayerNorm`
/// and ONNX LayerNormalization).
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight + bias
/// ```
///
/// with mean and biased var over the axes from [`axis`](Self::axis) on. `weight` and `bias` have the shape of
/// those axes; both are on by default. x and y have any shape of rank 1 to 8; there is one segment, and one
/// [`Record`](crate::Record), for each index of the axes before `axis`.
///
/// ```no_run
/// use wgnorm::{Context, Forward, LayerNorm, wgpu};
///
/// /// 32 x 128 rows of 768 values.
/// fn layer_norm(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     [x, weight, bias, y]: [&wgpu::Buffer; 4],
/// ) -> wgnorm::Result<()> {
///     let plan = LayerNorm::new(&[32, 128, 768]).eps(1e-6).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size());
///     plan.forward(encoder, &Forward::new(x, y).weight(weight).bias(bias).workspace(&workspace))
/// }
/// ```
///
/// Without a device, the checked operation tells the lengths:
///
/// ```
/// use wgnorm::{LayerNorm, Normalization};
/// assert_eq!(LayerNorm::new(&[32, 128, 768]).operation()?.weight_len, 768);
/// assert_eq!(LayerNorm::new(&[32, 128, 768]).axis(1).operation()?.weight_len, 128 * 768);
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a scalar, a rank above 8 or an axis out of range,
/// [`Overflow`](crate::ErrorKind::Overflow) for 2^31 elements and more, [`Parameter`](crate::ErrorKind::Parameter) for
/// an eps that is not finite, or negative where the preset does not allow it.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    shape: Vec<usize>,
    axes: Axes,
    pub(crate) common: Common,
}

common_settings!(LayerNorm);

impl LayerNorm {
    /// Layer norm over the last axis of a dense row-major tensor.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: Axes::From(-1),
            common: Common::new(true, true),
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

/// The normalized axes of a layer or RMS norm, which index the weight too.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Axes {
    /// This one and all after it.
    From(isize),
    /// These.
    These(Vec<isize>),
}

impl Axes {
    pub fn tensor(&self, shape: &[usize]) -> Result<Tensor> {
        let tensor = Tensor::new(shape)?;
        let tensor = match self {
            Self::From(first) => tensor.reduce_from(*first)?,
            Self::These(axes) => tensor.reduce(axes)?,
        };
        Ok(tensor.weigh(true))
    }
}

impl Normalization for LayerNorm {
    fn operation(&self) -> Result<Operation> {
        let tensor = self.axes.tensor(&self.shape)?;
        self.common
            .operation("layer_norm", tensor, self.common.preset.sample_eps())
    }
}
