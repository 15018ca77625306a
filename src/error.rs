//! The one error type of the crate.

use std::fmt;

/// Why a normalization could not be planned, bound or recorded.
///
/// Every error is raised before anything is recorded: an encoder that was passed to a failing call is
/// unchanged. The message names the argument, what it was and what was expected. The kinds are grouped by
/// [`ErrorKind`], which callers can match on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    argument: &'static str,
    message: String,
}

/// What went wrong, for callers that react to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A shape or an axis list is not valid for the operation: rank, channels not divisible by groups, axis out of
    /// range or repeated, one value per channel where that is refused.
    Shape,
    /// A product or sum of extents or offsets does not fit the integers that the kernels index with.
    Overflow,
    /// A scalar parameter is outside its domain: `eps`, `momentum`, `ddof`.
    Parameter,
    /// A buffer view is missing that the plan needs, or given where the plan does not take one.
    Argument,
    /// A buffer lacks a [`wgpu::BufferUsages`] flag.
    Usage,
    /// A buffer is too small for the view, or the view for the tensor.
    Size,
    /// An offset is not aligned as the binding needs it.
    Alignment,
    /// Two views overlap that must not, or share a buffer in a way that cannot be bound.
    Overlap,
    /// The adapter lacks a feature that the forced variant or the storage type needs.
    Feature,
    /// The device's limits are too low: binding size, workgroups, invocations, storage buffers.
    Limit,
    /// The forced variant cannot run this geometry.
    Variant,
    /// The values are none that this can be done with: no rows, an infinity or a logarithm of none, data that differ when
    /// they are read again.
    Data,
    /// This cannot be had in one pass over the data: order statistics.
    OnePass,
    /// Parameters are of another version of this crate.
    Version,
    /// No adapter or device could be had.
    Adapter,
    /// The device refused a shader, a pipeline or a bind group (a defect of wgnorm or of the driver).
    Device,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, argument: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            argument,
            message: message.into(),
        }
    }

    /// The same error of an argument that the caller knows by another name.
    pub(crate) fn renamed(self, from: &str, to: &'static str) -> Self {
        match self.argument == from {
            true => Self { argument: to, ..self },
            false => self,
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The argument at fault, by its name in the call: `"x"`, `"weight"`, `"eps"`, `"workspace"`.
    pub fn argument(&self) -> &'static str {
        self.argument
    }

    /// True if the caller passed something that no device would accept.
    pub fn is_bad_input(&self) -> bool {
        !self.is_device_limitation() && !matches!(self.kind, ErrorKind::Adapter | ErrorKind::Device)
    }

    /// True if another device, or higher limits or more features on this one, could do what was asked.
    pub fn is_device_limitation(&self) -> bool {
        matches!(self.kind, ErrorKind::Feature | ErrorKind::Limit)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.argument, self.message)
    }
}

impl std::error::Error for Error {}

/// Shorthand for the crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `bail!(Kind, "argument", "format", ..)`: return an [`Error`].
macro_rules! bail {
    ($kind:ident, $argument:expr, $($message:tt)*) => {
        return Err($crate::error::Error::new(
            $crate::error::ErrorKind::$kind,
            $argument,
            format!($($message)*),
        ))
    };
}
pub(crate) use bail;
