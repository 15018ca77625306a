//! Which gradients a backward pass makes.

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
}

impl Gradients {
    /// dx, dweight and dbias; those of an operation without weight or bias have to be switched off.
    pub fn all() -> Self {
        Self {
            dx: true,
            dweight: true,
            dbias: true,
            accumulate: false,
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
}
