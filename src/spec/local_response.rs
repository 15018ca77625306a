use super::axes::{Channels, Layouts, layout_settings};
use super::{Common, Normalization, Operation, Preset, Statistic, Window, common_settings};
use crate::error::{Result, bail};

/// Local response normalization of an N×C×… or N×…×C tensor across neighbouring channels (Krizhevsky, Sutskever and
/// Hinton 2012; the semantics of `torch.nn.LocalResponseNorm` and ONNX LRN-13).
///
/// ```text
/// y[c] = x[c] / (k + alpha / size * sum(x[i]^2 for i from c - left to c + right))^beta
/// ```
///
/// The window holds `size` channels, those beyond the first and the last counting as 0: in the PyTorch preset size / 2
/// (rounded down) before the channel and (size - 1) / 2 after it, in all others the reverse, as ONNX has it. alpha is
/// 1e-4, beta 0.75 and k 1 by default. There is no weight by default; with one, weight and bias have one value
/// per channel. There are no statistics. x and y have a shape of rank 2 to 8.
///
/// y depends on neighbours of x, so that it cannot be computed in place.
///
/// ```no_run
/// use wgnorm::{Context, Forward, LocalResponseNorm, wgpu};
///
/// /// The first such layer of AlexNet.
/// fn lrn(context: &Context, encoder: &mut wgpu::CommandEncoder, [x, y]: [&wgpu::Buffer; 2]) -> wgnorm::Result<()> {
///     let plan = LocalResponseNorm::new(&[16, 96, 27, 27], 5).k(2.0).plan(context)?;
///     plan.forward(encoder, &Forward::new(x, y))
/// }
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a rank below 2 or above 8,
/// [`Overflow`](crate::ErrorKind::Overflow) for 2^31 elements and more, [`Parameter`](crate::ErrorKind::Parameter) for a
/// size of 0, for alpha, beta or k that are not finite, and where an eps, statistics or a stage is asked for;
/// [`Limit`](crate::ErrorKind::Limit) for a window of more than 25,000 channels within the tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalResponseNorm {
    shape: Vec<usize>,
    size: usize,
    alpha: f32,
    beta: f32,
    k: f32,
    layouts: Layouts,
    pub(crate) common: Common,
}

common_settings!(LocalResponseNorm);
layout_settings!(LocalResponseNorm, layouts);

impl LocalResponseNorm {
    /// Local response norm of a tensor of at least rank 2 over windows of `size` channels.
    pub fn new(shape: &[usize], size: usize) -> Self {
        Self {
            shape: shape.to_vec(),
            size,
            alpha: 1e-4,
            beta: 0.75,
            k: 1.0,
            layouts: Layouts::default(),
            common: Common::new(false, false),
        }
    }

    /// What the mean of the squares over the window is multiplied by (the mean with divisor `size`, at the edges too).
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.alpha = alpha;
        self
    }

    /// The power of the divisor.
    pub fn beta(mut self, beta: f32) -> Self {
        self.beta = beta;
        self
    }

    /// What is added to the scaled sum of the squares; ONNX calls it bias.
    pub fn k(mut self, k: f32) -> Self {
        self.k = k;
        self
    }
}

impl Normalization for LocalResponseNorm {
    fn operation(&self) -> Result<Operation> {
        for (name, value) in [("alpha", self.alpha), ("beta", self.beta), ("k", self.k)] {
            if !value.is_finite() {
                bail!(Parameter, name, "is {value}, a finite number is needed");
            }
        }
        if self.size == 0 {
            bail!(Parameter, "size", "is 0, a window holds the channel itself at least");
        }
        if self.common.eps.is_some() {
            bail!(Parameter, "eps", "is given, but k takes its place");
        }
        if self.common.statistics {
            bail!(Parameter, "statistics", "are asked for, but there are none");
        }
        let channels = Channels::new(&self.shape, self.layouts)?;
        // Neighbours beyond the tensor count as 0: no more of them need be looked at than there are channels.
        let within = |neighbours: usize| u32::try_from(neighbours).unwrap_or(u32::MAX).min(channels.count());
        let (before, after) = (within(self.size / 2), within((self.size - 1) / 2));
        let (left, right) = match self.common.preset {
            Preset::PyTorch => (before, after),
            Preset::Onnx | Preset::Keras | Preset::Flax => (after, before),
        };
        let window = Window {
            left,
            right,
            scale: (f64::from(self.alpha) / self.size as f64) as f32,
            k: self.k,
            beta: self.beta,
        };
        Ok(Operation {
            statistic: Statistic::Window(window),
            ..self.common.operation("local_response_norm", channels.across(), 0.0)?
        })
    }
}
