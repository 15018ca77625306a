//! Which gradients a backward pass makes.

use crate::error::{Result, bail};

/// The gradients that a backward pass makes, and how.
///
/// ```
/// use wgnorm::Gradients;
/// // Of the input alone, as where weight and bias are frozen: asking for less costs less.
/// let frozen = Gradients { dweight: false, dbias: false, ..Gradients::all() };
/// assert!(frozen.dx && !frozen.accumulate);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gradients {
    /// The gradient of x.
    pub dx: bool,
    /// The gradient of the weight: `sum(dy * x_hat)` over all that a weight multiplies.
    pub dweight: bool,
    /// The gradient of the bias: `sum(dy)` over all that a bias is added to.
    pub dbias: bool,
    /// dweight and dbias are added to what their buffers hold (`+=`) instead of replacing it.
    pub accumulate: bool,
    /// x_hat is made of y instead of x, so that x need not be kept from the forward pass to the backward one (as the
    /// in-place activated batch norm of Rota Bulò, Porzi and Kontschieder 2018 does):
    ///
    /// ```text
    /// x_hat = (y - bias) / weight
    /// ```
    ///
    /// No weight may be 0 or infinite, which [`check_weight`](Self::check_weight) refuses, and a weight that is small beside its bias
    /// costs digits: x_hat is off by up to `2^-24 (2 |x_hat| + |bias / weight|)` more than that of x. The operation must save
    /// its statistics, or use given ones, and y must lie in memory as x does. Arguments:
    /// [`Backward::from_output`](crate::Backward::from_output).
    pub from_output: bool,
}

impl Gradients {
    /// dx, dweight and dbias, made of x; those of an operation without weight or bias have to be switched off.
    pub fn all() -> Self {
        Self {
            dx: true,
            dweight: true,
            dbias: true,
            accumulate: false,
            from_output: false,
        }
    }

    /// Those of an operation: dx, and what it has of weight and bias.
    pub fn of(operation: &super::Operation) -> Self {
        Self {
            dweight: operation.weight,
            dbias: operation.bias,
            ..Self::all()
        }
    }

    /// Checks, for gradients made of y, that every weight can be divided by: those that lie on a device are read back for it,
    /// as often as the caller thinks right.
    ///
    /// ```
    /// use wgnorm::{ErrorKind, Gradients};
    /// let of_output = Gradients { from_output: true, ..Gradients::all() };
    /// assert!(of_output.check_weight(&[1.0, -0.5]).is_ok());
    /// assert_eq!(of_output.check_weight(&[1.0, 0.0]).unwrap_err().kind(), ErrorKind::Data);
    /// assert!(Gradients::all().check_weight(&[1.0, 0.0]).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) for a weight that is 0, subnormal (which a device may take for 0), NaN or
    /// infinite: it names the first.
    pub fn check_weight(&self, weight: &[f32]) -> Result<()> {
        if !self.from_output {
            return Ok(());
        }
        match weight.iter().position(|weight| !weight.is_normal()) {
            Some(i) => bail!(
                Data,
                "weight",
                "is {} at {i}: x_hat cannot be made of y by dividing by it",
                weight[i]
            ),
            None => Ok(()),
        }
    }
}
