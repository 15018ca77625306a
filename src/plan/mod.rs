//! Operation, geometry and traits to a plan: pure data, no device needed.
//!
//! [`Recipe`] is what a plan comes down to: a few [`Step`]s, each a shader [`Header`], a parameter block, a number
//! of workgroups and what its bindings hold. Recording one is all that is left to do on a device.

mod choose;
mod layout;
mod steps;

pub use choose::{candidates, choose};
pub use layout::Offsets;
pub(crate) use steps::{MOMENTS_BYTES, RECORD_BYTES};

use std::fmt;

use crate::DeviceTraits;
use crate::error::Result;
use crate::shader::{Binding, Header, Kernel, Params, Slot};
use crate::spec::Operation;
use crate::tuning::{Tuning, Variant};

/// What a binding of a step refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A buffer that the caller names.
    Caller(Role),
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
    /// Scratch memory.
    Workspace,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 10] = [
        Self::X,
        Self::Y,
        Self::Weight,
        Self::Bias,
        Self::Statistics,
        Self::Moments,
        Self::Merged,
        Self::RunningMean,
        Self::RunningVar,
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
            Self::Workspace => "workspace",
        }
    }
}

/// What only binding can tell, and pipelines depend on: offsets, and which roles share a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Elements before each tensor in its binding.
    pub offsets: Offsets,
    /// y is bound together with x.
    pub output_in_x: bool,
    /// For each role, by `Role as usize`, a number of its buffer; equal numbers mean the same buffer.
    pub buffers: [u8; Role::ALL.len()],
}

impl Default for Facts {
    /// Every role in a buffer of its own, at its start.
    fn default() -> Self {
        Self {
            offsets: Offsets::default(),
            output_in_x: false,
            buffers: std::array::from_fn(|i| i as u8),
        }
    }
}

/// One dispatch.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Default)]
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
            if !matches!(header.kernel, Kernel::Finish | Kernel::Given | Kernel::Running) {
                write!(
                    f,
                    ", units of {:?}, {} units a segment in {} spans",
                    header.unit,
                    step.params.units,
                    step.params.spans.max(1)
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The operand of a slot where the caller provides it.
pub(crate) fn caller(slot: Slot) -> Operand {
    Operand::Caller(match slot {
        Slot::X => Role::X,
        Slot::Y => Role::Y,
        Slot::Weight => Role::Weight,
        Slot::Bias => Role::Bias,
        Slot::Records => Role::Statistics,
        Slot::Moments | Slot::Parts => Role::Moments,
        Slot::RunningMean => Role::RunningMean,
        Slot::RunningVar => Role::RunningVar,
    })
}
