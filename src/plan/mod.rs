//! Operation, geometry and traits to a plan: pure data, no device needed.
//!
//! [`Recipe`] is what a plan comes down to: a few [`Step`]s, each a shader [`Header`], a parameter block, a number
//! of workgroups and what its bindings hold. Recording one is all that is left to do on a device.

mod choose;
mod layout;
mod needs;
mod pieces;
mod steps;

pub(crate) use needs::{Need, needs, needs_backward};
pub use steps::candidates;

use std::fmt;

use crate::DeviceTraits;
use crate::error::Result;
use crate::shader::{Binding, Header, Kernel, Params};
use crate::spec::{Gradients, Operation};
use crate::tuning::{Tuning, Variant};

/// Bytes of one segment's moments and record.
pub(crate) const MOMENTS_BYTES: u64 = 32;
pub(crate) const RECORD_BYTES: u64 = 16;
/// Bytes of the sums of a span, or of a segment, that gradients are made of.
pub(crate) const SUMS_BYTES: u64 = 16;

/// What a binding of a step refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A range of a view that the caller names, in bytes.
    Caller {
        /// The view.
        role: Role,
        /// First byte, counted from the last multiple of the binding alignment before the view: before that where x is
        /// bound together with a y that lies before it.
        start: i64,
        /// Number of bytes.
        size: u64,
    },
    /// A range of the workspace, in bytes.
    Workspace {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        size: u64,
    },
}

/// The buffers that a caller names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The input.
    X,
    /// The output.
    Y,
    /// Weight.
    Weight,
    /// Bias.
    Bias,
    /// Statistics records, an output.
    Statistics,
    /// Moments: an output of the statistics stage, an input of the apply stage.
    Moments,
    /// Merged moments, the output of a merge.
    Merged,
    /// Running mean.
    RunningMean,
    /// Running variance.
    RunningVar,
    /// Batches that running statistics have seen.
    Batches,
    /// Ratio and shift of batch renormalization: an output of the forward pass, an input of the backward pass.
    Corrections,
    /// The gradient of y, an input of the backward pass.
    Dy,
    /// The gradient of x.
    Dx,
    /// The gradient of the weight.
    Dweight,
    /// The gradient of the bias.
    Dbias,
    /// Sums over segments for dx: an output of the backward pass's first half, an input of its second.
    Sums,
    /// Scratch memory.
    Workspace,
}

impl Role {
    /// The largest alignment of a binding that a device asks for, in bytes.
    pub(crate) const BLOCK: u32 = 256;

    /// All roles.
    pub const ALL: [Self; 17] = [
        Self::X,
        Self::Y,
        Self::Weight,
        Self::Bias,
        Self::Statistics,
        Self::Moments,
        Self::Merged,
        Self::RunningMean,
        Self::RunningVar,
        Self::Batches,
        Self::Corrections,
        Self::Dy,
        Self::Dx,
        Self::Dweight,
        Self::Dbias,
        Self::Sums,
        Self::Workspace,
    ];

    /// The argument's name in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Y => "y",
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Statistics => "statistics",
            Self::Moments => "moments",
            Self::Merged => "merged",
            Self::RunningMean => "running_mean",
            Self::RunningVar => "running_var",
            Self::Batches => "batches",
            Self::Corrections => "corrections",
            Self::Dy => "dy",
            Self::Dx => "dx",
            Self::Dweight => "dweight",
            Self::Dbias => "dbias",
            Self::Sums => "sums",
            Self::Workspace => "workspace",
        }
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roles(u32);

impl Roles {
    /// Adds a role.
    pub fn insert(&mut self, role: Role) {
        self.0 |= 1 << role as u32;
    }

    /// True if the role is in the set.
    pub fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u32) != 0
    }
}

/// What only binding can tell, and plans depend on: where views lie, and which of them share a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facts {
    /// For each role, by `Role as usize`, elements (of 4 bytes) from the last multiple of the binding alignment to the
    /// view.
    pub offsets: [u32; Role::ALL.len()],
    /// Elements from the first of x to the first of y, if they are views of one buffer.
    pub apart: Option<i64>,
    /// For each role, a number of its buffer; equal numbers mean the same buffer.
    pub buffers: [u8; Role::ALL.len()],
    /// The view in whose very place dx is written: x or dy.
    pub dx_over: Option<Role>,
    /// Views that no binding can hold, since they share a block with another one that is written, or begin at an odd
    /// place: they go through the workspace.
    pub staged: Roles,
}

impl Default for Facts {
    /// Every role in a buffer of its own, at its start.
    fn default() -> Self {
        Self {
            offsets: [0; Role::ALL.len()],
            apart: None,
            dx_over: None,
            buffers: std::array::from_fn(|i| i as u8),
            staged: Roles::default(),
        }
    }
}

/// One dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The pipeline.
    pub header: Header,
    /// The uniform block.
    pub params: Params,
    /// Workgroups, over all dimensions.
    pub workgroups: u64,
    /// What each storage binding holds.
    pub bindings: Vec<(Binding, Operand)>,
}

/// The dispatches of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recipe {
    /// The variant; none where nothing is reduced.
    pub variant: Option<Variant>,
    /// The dispatches, in order.
    pub steps: Vec<Step>,
    /// Bytes of workspace.
    pub workspace: u64,
}

impl Recipe {
    /// Plans `operation` with the variant it insists on, or the one the tuning table chooses.
    pub fn new(operation: &Operation, traits: &DeviceTraits, tuning: &Tuning, facts: &Facts) -> Result<Self> {
        steps::plan(operation, traits, tuning, facts)
    }

    /// Plans the gradients of `operation`.
    pub fn backward(
        operation: &Operation,
        gradients: Gradients,
        traits: &DeviceTraits,
        tuning: &Tuning,
        facts: &Facts,
    ) -> Result<Self> {
        steps::backward(operation, gradients, traits, tuning, facts)
    }

    /// Plans the merge of `parts` sets of moments of the segments of `operation`.
    pub fn merge(
        operation: &Operation,
        parts: u32,
        traits: &DeviceTraits,
        tuning: &Tuning,
        facts: &Facts,
    ) -> Result<Self> {
        steps::merge(operation, parts, traits, tuning, facts)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variant {
            Some(variant) => writeln!(
                f,
                "variant {variant}, {} dispatches, {} bytes of workspace",
                self.steps.len(),
                self.workspace
            )?,
            None => writeln!(
                f,
                "{} dispatches, {} bytes of workspace",
                self.steps.len(),
                self.workspace
            )?,
        }
        for step in &self.steps {
            let header = &step.header;
            write!(
                f,
                "  {:<10} {} workgroups of {}",
                header.kernel.name(),
                step.workgroups,
                header.workgroup
            )?;
            if header.lanes > 1 {
                write!(f, ", {} lanes a segment", header.lanes)?;
            }
            if !matches!(
                header.kernel,
                Kernel::Finish
                    | Kernel::Given
                    | Kernel::Running
                    | Kernel::Copy
                    | Kernel::GradientFinish
                    | Kernel::GradientSegments
                    | Kernel::GradientGiven
                    | Kernel::GradientParameters
            ) {
                write!(
                    f,
                    ", units of {:?}, {} units a segment in {} spans",
                    header.unit,
                    step.params.units,
                    step.params.spans.max(1)
                )?;
            }
            if header.sixteens {
                write!(f, ", at multiples of 16 elements of memory")?;
            }
            if header.period > 1 {
                write!(f, ", every {} segments", header.period)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
