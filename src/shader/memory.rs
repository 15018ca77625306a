//! What kernels take of workgroup memory: `tests/shaders.rs` compares it with what they declare.

use super::{Header, Kernel, Reduction, Unit};

impl Header {
    /// Moments that a tree over the workgroup holds: one, unused, where each invocation works alone.
    pub(super) fn tree_size(&self) -> u32 {
        if self.lanes > 1 { self.workgroup } else { 1 }
    }

    /// Bytes of workgroup memory.
    pub fn workgroup_memory(&self) -> u32 {
        let columns = self.unit == Unit::Columns;
        let moments = self.tree_size() * if columns { 80 } else { 20 };
        match (self.kernel, self.reduction) {
            (Kernel::Partial | Kernel::Tile, _) => self.shared_bytes() + self.normalizer_bytes(),
            (Kernel::Finish, _) => moments,
            (Kernel::GradientSums, _) => self.tree_size() * if columns { 64 } else { 16 },
            (
                Kernel::GradientTotals | Kernel::GradientFinish | Kernel::GradientSegments | Kernel::GradientParameters,
                _,
            ) => self.tree_size() * 16,
            (Kernel::Resident, Reduction::Tree) => self.workgroup * 12 + self.vote_bytes(self.columns() + 1),
            (Kernel::Resident, Reduction::Workgroup) => self.workgroup + self.bytes_across() + self.vote_bytes(1),
            (Kernel::GradientResident, reduction) => {
                let shares = match (self.sums && !self.one_weight, self.columns()) {
                    (false, _) => 0,
                    (true, 1) => 1,
                    (true, _) => self.workgroup,
                };
                let reduced = match reduction {
                    Reduction::Tree => 8 * self.workgroup,
                    Reduction::Workgroup => self.bytes_across(),
                    Reduction::Subgroup | Reduction::WholeSubgroup => 0,
                };
                reduced + shares * 8 * self.unit.width()
            }
            _ => 0,
        }
    }

    /// Bytes in which invocations share sums or moments.
    fn shared_bytes(&self) -> u32 {
        let columns = self.unit == Unit::Columns;
        match self.tries_plain_sums() && self.lanes > 1 {
            true => self.workgroup * if columns { 48 } else { 12 } + 8,
            false => self.tree_size() * if columns { 80 } else { 20 },
        }
    }

    /// Bytes of the normalizers of a tile.
    fn normalizer_bytes(&self) -> u32 {
        match self.kernel {
            Kernel::Tile => self.columns() * if self.unit == Unit::Columns { 64 } else { 16 },
            _ => 0,
        }
    }

    /// Bytes of the sums of the subgroups of a workgroup, which may have four lanes each: two halves on software adapters.
    fn bytes_across(&self) -> u32 {
        self.workgroup / 4 * if self.software { 16 } else { 8 }
    }

    /// Bytes of so many votes, if there are votes.
    fn vote_bytes(&self, votes: u32) -> u32 {
        if self.tries_plain_sums() { 4 * votes } else { 0 }
    }
}
