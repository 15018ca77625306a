//! What steps bind: views, ranges of the workspace, and what of x and y a piece takes.

use std::ops::Range;

use super::{Planner, SMALL_WORKGROUP};
use crate::error::{Result, bail};
use crate::plan::layout::Offsets;
use crate::plan::pieces::{Piece, RECORD_ALIGNMENT, check_pieces};
use crate::plan::{MOMENTS_BYTES, Need, Operand, RECORD_BYTES, Role};
use crate::shader::{Kernel, Slot};
use crate::spec::{Source, Stage};

/// Alignment of the regions of a workspace: the largest offset alignment there is.
const REGION_ALIGNMENT: u64 = Role::BLOCK as u64;

/// A view or a region as a step names it: all of it, or the part that a piece binds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    View(Role),
    Region(Region),
}

/// A range of the workspace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    pub offset: u64,
    pub size: u64,
}

/// Records that a dispatch reads or writes, among those of a view or region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records {
    pub place: Place,
    pub slot: Slot,
}

/// What is bound of x and y for one piece.
pub(super) struct Bindings {
    pub x: Operand,
    pub y: Option<Operand>,
    /// y lies in the binding of x.
    pub output_in_x: bool,
    pub offsets: Offsets,
}

impl Planner<'_> {
    /// What is bound of x and y: each by itself, or both together where they share a block of one buffer.
    pub(super) fn bindings(&self, piece: &Piece) -> Result<Bindings> {
        let facts = self.facts;
        let element = self.operation.dtype.bytes();
        let block = u64::from(self.traits.storage_alignment) / element;
        let at = |role: Role| u64::from(facts.offsets[role as usize]);
        let shift = |range: Range<u64>, by: u64| range.start + by..range.end + by;
        let bound = |role, range: &Range<i64>| {
            // Ranges are counted from an aligned place.
            let start = range.start - range.start.rem_euclid(block as i64);
            let size = (range.end - start) as u64 * element;
            let operand = Operand::Caller {
                role,
                start: start * element as i64,
                size,
            };
            (operand, start)
        };
        let signed = |range: Range<u64>| range.start as i64..range.end as i64;
        let reads = signed(shift(piece.reads.clone(), at(Role::X)));
        let writes = signed(shift(piece.writes(), at(Role::Y)));
        let first = at(Role::X) as i64 + piece.x as i64;
        let parameter = |role: Role| match facts.staged.contains(role) {
            true => piece.weight,
            false => facts.offsets[role as usize] + piece.weight,
        };
        let (x, x_start) = bound(Role::X, &reads);
        let mut bindings = Bindings {
            x,
            y: None,
            output_in_x: false,
            offsets: Offsets {
                x: (first - x_start) as u32,
                y: 0,
                weight: parameter(Role::Weight),
                bias: parameter(Role::Bias),
                dx: 0,
            },
        };
        if self.operation.stage == Stage::Statistics {
            return Ok(bindings);
        }
        let (y, y_start) = bound(Role::Y, &writes);
        (bindings.y, bindings.offsets.y) = (Some(y), (writes.start - y_start) as u32);
        if let Some(apart) = facts.apart {
            // y as counted from where x is.
            let moved = at(Role::X) as i64 + apart - at(Role::Y) as i64;
            let writes = writes.start + moved..writes.end + moved;
            let blocks = |range: &Range<i64>| {
                let block = block as i64;
                range.start.div_euclid(block)..(range.end - 1).div_euclid(block) + 1
            };
            let (a, b) = (blocks(&reads), blocks(&writes));
            if a.start < b.end && b.start < a.end {
                let union = reads.start.min(writes.start)..reads.end.max(writes.end);
                let (x, start) = bound(Role::X, &union);
                bindings.x = x;
                (bindings.y, bindings.output_in_x) = (None, true);
                (bindings.offsets.x, bindings.offsets.y) = ((first - start) as u32, (writes.start - start) as u32);
            }
        }
        Ok(bindings)
    }

    /// Copies to the workspace what kernels cannot bind where it is, and makes room for what they write.
    pub(super) fn stage_inputs(&mut self) -> Result<()> {
        for need in self.needs.clone() {
            if !self.facts.staged.contains(need.role) {
                continue;
            }
            let region = self.region(need.bytes);
            if need.read {
                self.copy(Place::View(need.role), Place::Region(region), need)?;
            }
            self.staged.push((need.role, region));
        }
        Ok(())
    }

    /// Copies from the workspace what was staged and written.
    pub(super) fn stage_outputs(&mut self) -> Result<()> {
        for (role, region) in std::mem::take(&mut self.staged) {
            let need = self.needs.iter().find(|need| need.role == role && need.written);
            if let Some(&need) = need {
                self.copy(Place::Region(region), Place::View(role), need)?;
            }
        }
        Ok(())
    }

    /// Copies all of a view, in as many dispatches as bindings ask for.
    pub(super) fn copy(&mut self, from: Place, to: Place, need: Need) -> Result<()> {
        let block = u64::from(self.traits.storage_alignment / 4);
        let words = need.bytes / 4;
        let most = (self.traits.binding_size / 4).saturating_sub(block) / block * block;
        let most = most.clamp(block, 1 << 30);
        check_pieces(words.div_ceil(most), need.role.name(), self.traits.binding_size)?;
        for first in (0..words).step_by(most as usize) {
            let count = most.min(words - first);
            let header = self.header(Kernel::Copy, SMALL_WORKGROUP);
            let mut params = self.params();
            let bound = |place| {
                let before = match place {
                    Place::View(role) => u64::from(self.facts.offsets[role as usize]),
                    Place::Region(_) => 0,
                };
                let offset = (before + first) % block;
                let start = before + first - offset;
                Ok((offset as u32, self.range(place, start * 4, (offset + count) * 4)?))
            };
            let ((from_offset, from), (to_offset, to)) = (bound(from)?, bound(to)?);
            params.units = count as u32;
            (params.x_offset, params.y_offset) = (from_offset, to_offset);
            let workgroups = count.div_ceil(u64::from(SMALL_WORKGROUP));
            self.push(header, params, workgroups, &[(Slot::From, from), (Slot::To, to)])?;
        }
        Ok(())
    }

    /// A new region of the workspace.
    pub(super) fn region(&mut self, size: u64) -> Region {
        let offset = self.recipe.workspace.next_multiple_of(REGION_ALIGNMENT);
        self.recipe.workspace = offset + size;
        Region { offset, size }
    }

    /// A new region for `count` items of `bytes`.
    pub(super) fn region_of(&mut self, count: u32, bytes: u64) -> Region {
        self.region(u64::from(count) * bytes)
    }

    /// Where records go that later steps read: the caller's buffer, or the workspace.
    pub(super) fn records_place(&mut self) -> Place {
        if self.operation.statistics && self.operation.source == Source::Input {
            return Place::View(Role::Statistics);
        }
        Place::Region(self.region_of(self.segments(), RECORD_BYTES))
    }

    /// A view, or the region where it is staged.
    pub(super) fn resolve(&self, place: Place) -> Place {
        match place {
            Place::View(role) => (self.staged.iter().find(|(staged, _)| *staged == role))
                .map_or(place, |(_, region)| Place::Region(*region)),
            Place::Region(_) => place,
        }
    }

    /// All of a view or region.
    pub(super) fn view(&self, place: Place) -> Result<Operand> {
        let bytes = match place {
            Place::View(role) => {
                let need = self.needs.iter().find(|need| need.role == role);
                let Some(need) = need else {
                    bail!(Argument, role.name(), "is missing");
                };
                u64::from(self.facts.offsets[role as usize]) * 4 + need.bytes
            }
            Place::Region(region) => region.size,
        };
        self.range(place, 0, bytes)
    }

    /// Bytes from `start` on of a view or region, as far as the device can bind them.
    pub(super) fn range(&self, place: Place, start: u64, size: u64) -> Result<Operand> {
        let name = match place {
            Place::View(role) => role.name(),
            Place::Region(_) => "workspace",
        };
        if size > self.traits.binding_size {
            bail!(
                Limit,
                name,
                "a binding of {size} bytes is beyond the device's {} (max_storage_buffer_binding_size)",
                self.traits.binding_size
            );
        }
        Ok(match place {
            Place::View(role) => Operand::Caller {
                role,
                start: start as i64,
                size,
            },
            Place::Region(region) => Operand::Workspace {
                offset: region.offset + start,
                size,
            },
        })
    }

    /// The operands of records and moments of `records`, and those before the first in their bindings.
    pub(super) fn records(&self, items: &[Records], records: &Range<u64>) -> Result<(u32, Vec<(Slot, Operand)>)> {
        let first = records.start - records.start % u64::from(RECORD_ALIGNMENT);
        let mut operands = Vec::with_capacity(items.len());
        for item in items {
            let bytes = match item.slot {
                Slot::Moments | Slot::Parts => MOMENTS_BYTES,
                _ => RECORD_BYTES,
            };
            let (start, size) = (first * bytes, (records.end - first) * bytes);
            operands.push((item.slot, self.range(self.resolve(item.place), start, size)?));
        }
        Ok(((records.start - first) as u32, operands))
    }
}

/// The slot's view, where it is a view of the caller's.
pub(super) fn role_of(slot: Slot) -> Role {
    match slot {
        Slot::X | Slot::From => Role::X,
        Slot::Y | Slot::To => Role::Y,
        Slot::Weight => Role::Weight,
        Slot::Bias => Role::Bias,
        Slot::Records => Role::Statistics,
        Slot::Moments | Slot::Parts => Role::Moments,
        Slot::RunningMean => Role::RunningMean,
        Slot::RunningVar => Role::RunningVar,
        Slot::Batches => Role::Batches,
        Slot::Corrections => Role::Corrections,
        Slot::XPairs | Slot::YPairs | Slot::WeightPairs | Slot::BiasPairs => role_of(slot.single()),
        Slot::Dy => Role::Dy,
        Slot::Dx => Role::Dx,
        Slot::Dweight => Role::Dweight,
        Slot::Dbias => Role::Dbias,
        Slot::Sums | Slot::SumsRead | Slot::Coefficients => Role::Workspace,
    }
}
