use super::axes::Tensor;
use super::{Common, EpsRule, Normalization, Operation, common_settings};
use crate::error::{Result, bail};

/// Z-score (standardization) over any axes.
///
/// ```text
/// y = (x - mean) / sqrt(sum((x - mean)^2) / (n - ddof) + eps)
/// ```
///
/// A constant segment gives 0, a single value too whatever ddof. The columns of a table are `axes = [0]`. ddof is 0 (scikit-learn's
/// `StandardScaler`) or 1 (R's `scale`, pandas' `std`); eps is 0 by default. There is no weight by default; with one,
/// weight and bias have the shape of the kept axes. x and y have any shape of rank up to 8; the segments are
/// numbered row-major over the axes that are not named.
///
/// ```no_run
/// use wgnorm::{Context, Forward, Record, ZScore, wgpu};
///
/// /// Standardizes the 32 columns of a table of a million rows, in place, and keeps their means and deviations.
/// fn z_score(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     table: &wgpu::Buffer,
///     records: &wgpu::Buffer,
/// ) -> wgnorm::Result<()> {
///     assert!(records.size() >= 32 * size_of::<Record>() as u64);
///     let plan = ZScore::new(&[1_000_000, 32], &[0]).ddof(1).statistics(true).plan(context)?;
///     let workspace = context.create_workspace(plan.workspace_size());
///     plan.forward(encoder, &Forward::in_place(table).statistics(records).workspace(&workspace))
/// }
/// ```
///
/// # Errors
/// At planning: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a rank above 8, and for an axis out of range or named
/// twice; [`Parameter`](crate::ErrorKind::Parameter) for a ddof above 1, and with
/// [`Overflow`](crate::ErrorKind::Overflow) as for [`LayerNorm`](crate::LayerNorm).
#[derive(Debug, Clone, PartialEq)]
pub struct ZScore {
    shape: Vec<usize>,
    axes: Vec<isize>,
    ddof: u32,
    pub(crate) common: Common,
}

common_settings!(ZScore);

impl ZScore {
    /// Z-score of a dense row-major tensor over `axes`, each named once; negative ones count from the end.
    pub fn new(shape: &[usize], axes: &[isize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
            ddof: 0,
            common: Common::new(false, false),
        }
    }

    /// Degrees of freedom taken from the divisor: 0 or 1.
    pub fn ddof(mut self, ddof: u32) -> Self {
        self.ddof = ddof;
        self
    }
}

impl Normalization for ZScore {
    fn operation(&self) -> Result<Operation> {
        if self.ddof > 1 {
            bail!(Parameter, "ddof", "is {}, 0 or 1 is needed", self.ddof);
        }
        let mut operation = self
            .common
            .operation("z_score", weighed_by_kept(&self.shape, &self.axes)?, 0.0)?;
        operation.eps_rule = EpsRule::ZeroIsOne;
        operation.ddof = self.ddof;
        Ok(operation)
    }
}

/// ONNX MeanVarianceNormalization over any axes (ONNX operator specification, opset 13).
///
/// ```text
/// y = (x - mean) / (sqrt(var) + eps)
/// ```
///
/// with biased var; eps is 1e-9 by default and is added to the standard deviation, so that a constant segment
/// gives 0. There is no weight by default; with one, weight and bias have the shape of the kept axes. Shapes and errors
/// are those of [`ZScore`]. In the [`Record`](crate::Record)s r is `1 / (sqrt(var) + eps)`.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanVarianceNorm {
    shape: Vec<usize>,
    axes: Vec<isize>,
    pub(crate) common: Common,
}

common_settings!(MeanVarianceNorm);

impl MeanVarianceNorm {
    /// Mean-variance normalization of a dense row-major tensor over `axes`; ONNX's default is `[0, 2, 3]`.
    pub fn new(shape: &[usize], axes: &[isize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
            common: Common::new(false, false),
        }
    }
}

impl Normalization for MeanVarianceNorm {
    fn operation(&self) -> Result<Operation> {
        let mut operation =
            self.common
                .operation("mean_variance_norm", weighed_by_kept(&self.shape, &self.axes)?, 1e-9)?;
        operation.eps_rule = EpsRule::OnDeviation;
        Ok(operation)
    }
}

/// A tensor reduced over `axes` whose weight, if any, is indexed by the others.
pub(super) fn weighed_by_kept(shape: &[usize], axes: &[isize]) -> Result<Tensor> {
    Ok(Tensor::new(shape)?.reduce(axes)?.weigh(false))
}
