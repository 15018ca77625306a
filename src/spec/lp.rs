use super::moments::weighed_by_kept;
use super::{Common, EpsRule, Normalization, Operation, Preset, Statistic, common_settings};
use crate::error::{Result, bail};

/// What becomes of a segment whose norm is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ZeroNorm {
    /// x is divided by `max(norm, eps)`, eps being 1e-12 by default: `torch.nn.functional.normalize`,
    /// `keras.layers.UnitNormalization`.
    AtLeastEps,
    /// y is 0, and there is no eps: ONNX LpNormalization.
    Zero,
}

/// Lp normalization over any axes: every segment gets the p-norm 1 (unit normalization; the semantics of
/// `torch.nn.functional.normalize` and ONNX LpNormalization-22).
///
/// ```text
/// y = x / max(norm, eps),   norm = sum(|x|^p)^(1/p)
/// ```
///
/// p is 2 by default; any number above 0 will do, and infinity stands for the largest |x|. By the ONNX preset, or with
/// [`ZeroNorm::Zero`], y is 0 where the norm is 0 and `x / norm` elsewhere. There is no weight by default; with one,
/// weight and bias have the shape of the kept axes. In the [`Record`](crate::Record)s the mean is 0 and r is what x is
/// multiplied by. x and y have any shape of rank up to 8; the segments are numbered row-major over the axes that are not
/// named.
///
/// ```no_run
/// use wgnorm::{Context, Forward, LpNorm, wgpu};
///
/// /// Gives each of 10,000 embeddings of 384 values the length 1, in place.
/// fn unit_length(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     embeddings: &wgpu::Buffer,
/// ) -> wgnorm::Result<()> {
///     let plan = LpNorm::new(&[10_000, 384], &[-1]).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size());
///     plan.forward(encoder, &Forward::in_place(embeddings).workspace(&workspace))
/// }
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) and [`Overflow`](crate::ErrorKind::Overflow) as for
/// [`ZScore`](crate::ZScore); [`Parameter`](crate::ErrorKind::Parameter) for a p that is not above 0, and for an eps
/// that is not finite, negative, or given where [`ZeroNorm::Zero`] has none.
#[derive(Debug, Clone, PartialEq)]
pub struct LpNorm {
    shape: Vec<usize>,
    axes: Vec<isize>,
    p: f32,
    zero: Option<ZeroNorm>,
    pub(crate) common: Common,
}

common_settings!(LpNorm);

impl LpNorm {
    /// L2 normalization over `axes`, each named once; negative ones count from the end.
    pub fn new(shape: &[usize], axes: &[isize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
            p: 2.0,
            zero: None,
            common: Common::new(false, false),
        }
    }

    /// The largest finite power, 2^20. Exponents of larger ones are beyond what the kernels count in.
    pub const LARGEST_FINITE_P: f32 = 1048576.0;

    /// The power: above 0 and up to [`LARGEST_FINITE_P`](Self::LARGEST_FINITE_P), or infinite.
    pub fn p(mut self, p: f32) -> Self {
        self.p = p;
        self
    }

    /// What becomes of a norm of 0; the preset's rule when not called.
    pub fn zero_norm(mut self, rule: ZeroNorm) -> Self {
        self.zero = Some(rule);
        self
    }
}

impl Normalization for LpNorm {
    fn operation(&self) -> Result<Operation> {
        let finite = self.p > 0.0 && self.p <= Self::LARGEST_FINITE_P;
        if !finite && self.p != f32::INFINITY {
            bail!(
                Parameter,
                "p",
                "is {}, a number above 0 and up to {}, or infinity, is needed",
                self.p,
                Self::LARGEST_FINITE_P
            );
        }
        let (eps_rule, default_eps) = match self.zero.unwrap_or(self.common.preset.zero_norm()) {
            ZeroNorm::AtLeastEps => (EpsRule::AtLeast, 1e-12),
            ZeroNorm::Zero => (EpsRule::ZeroIsZero, 0.0),
        };
        let tensor = weighed_by_kept(&self.shape, &self.axes)?;
        let operation = self.common.operation("lp_norm", tensor, default_eps)?;
        if operation.eps < 0.0 || (eps_rule == EpsRule::ZeroIsZero && operation.eps != 0.0) {
            bail!(
                Parameter,
                "eps",
                "is {}; {}",
                operation.eps,
                if operation.eps < 0.0 {
                    "no norm is below it"
                } else {
                    "where a norm of 0 gives 0 there is none"
                }
            );
        }
        Ok(Operation {
            statistic: Statistic::Norm { p: self.p },
            eps_rule,
            ..operation
        })
    }
}

impl Preset {
    fn zero_norm(self) -> ZeroNorm {
        match self {
            Self::Onnx => ZeroNorm::Zero,
            Self::PyTorch | Self::Keras | Self::Flax => ZeroNorm::AtLeastEps,
        }
    }
}
