//! What kernels move at once.

use super::modules::Module;

/// What one load or store moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// One element.
    Scalar,
    /// Four neighbouring elements of a segment.
    Vec4,
    /// Sixteen neighbouring elements of a segment.
    Mat4,
    /// Sixteen neighbouring elements of a segment that begin at any element. Elements that are left at the end of a run
    /// are moved one by one.
    Loose,
    /// One element of each of four neighbouring segments.
    Columns,
}

impl Unit {
    /// Elements of a unit.
    pub fn width(self) -> u32 {
        match self {
            Self::Scalar => 1,
            Self::Vec4 | Self::Columns => 4,
            Self::Mat4 | Self::Loose => 16,
        }
    }

    /// Elements that an index steps over: those of a unit, or one where units begin at any element.
    pub fn index_width(self) -> u32 {
        if self == Self::Loose { 1 } else { self.width() }
    }

    /// Neighbouring segments that a unit spans.
    pub fn segments(self) -> u32 {
        if self == Self::Columns { 4 } else { 1 }
    }

    /// Elements of one segment in a unit.
    pub fn per_segment(self) -> u32 {
        self.width() / self.segments()
    }

    /// Units of a chunk: at most 256 elements (and a tail), and fewer where few accumulators share them.
    pub fn chunk(self) -> u32 {
        match self {
            Self::Scalar | Self::Columns => 128,
            Self::Vec4 => 64,
            Self::Mat4 | Self::Loose => 16,
        }
    }

    /// Units whose mean is the first pivot of a segment.
    pub(super) fn pivot(self) -> u32 {
        match self {
            Self::Scalar | Self::Columns => 8,
            Self::Vec4 => 2,
            Self::Mat4 | Self::Loose => 1,
        }
    }

    /// Units that a loop moves at once: several where one is little beside the loop itself.
    pub(super) fn unroll(self) -> u32 {
        match self {
            Self::Scalar | Self::Vec4 | Self::Columns => 4,
            Self::Mat4 | Self::Loose => 1,
        }
    }

    pub(super) fn modules(self) -> &'static [Module] {
        match self {
            Self::Scalar => &[Module::unit_f32, Module::unit_elementwise],
            Self::Vec4 => &[Module::unit_vec4, Module::unit_of_row, Module::unit_elementwise],
            Self::Mat4 | Self::Loose => &[Module::unit_mat4, Module::unit_of_row],
            Self::Columns => &[Module::unit_columns, Module::unit_elementwise],
        }
    }
}
