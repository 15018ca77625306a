use super::{Common, Normalization, Operation, common_settings, trailing_axes};
use crate::error::Result;

/// Layer normalization over the trailing axes (Ba, Kiros and Hinton 2016; the semantics of `torch.nn.LayerNorm`
/// and ONNX LayerNormalization).
///
/// ```text
/// y = (x - mean) / sqrt(var + eps) * weight + bias
/// ```
///
/// with mean and biased var over the axes from [`axis`](Self::axis) on. `weight` and `bias` have the shape of
/// those axes; both are on by default.
///
/// ```
/// use wgnorm::{LayerNorm, Normalization};
/// // 32 x 128 rows of 768 values.
/// let operation = LayerNorm::new(&[32, 128, 768]).eps(1e-6).operation()?;
/// assert_eq!(operation.weight_len, 768);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    shape: Vec<usize>,
    axis: isize,
    pub(crate) common: Common,
}

common_settings!(LayerNorm);

impl LayerNorm {
    /// Layer norm over the last axis of a dense row-major tensor.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axis: -1,
            common: Common::new(true, true),
        }
    }

    /// The first normalized axis; all after it are normalized too. Negative axes count from the end.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }
}

impl Normalization for LayerNorm {
    fn operation(&self) -> Result<Operation> {
        let axes = trailing_axes(&self.shape, self.axis)?;
        self.common
            .operation("layer_norm", axes, self.common.preset.sample_eps())
    }
}
