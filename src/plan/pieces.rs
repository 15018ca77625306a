//! Tensors beyond what one binding can hold: cut into pieces that each can.
//!
//! Axes are cut, largest stride first, until x, y and the records of a piece fit. Pieces form a grid. Those that differ
//! along kept axes only hold different segments: every such **block** is a normalization of its own. Pieces of one block
//! hold parts of the same segments, whose statistics merge.

use std::ops::Range;

use super::{Facts, MOMENTS_BYTES, Role};
use crate::error::{Result, bail};
use crate::geometry::{Axis, span};
use crate::spec::{Operation, Statistic};

/// The most pieces of one call: each is a dispatch or more.
const MAX_PIECES: u64 = 1 << 12;

/// Bytes that the kernels' 32-bit indices of elements can reach.
const ADDRESSABLE: u64 = 1 << 34;

/// Records that bindings of records and of moments begin at a multiple of: 256 bytes of records.
pub const RECORD_ALIGNMENT: u32 = 16;

/// A box of the tensor.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The axes, with the extents of the box.
    pub axes: Vec<Axis>,
    /// Elements of x before the first.
    pub x: u64,
    /// Elements of x that are read, from the first to the last: with the neighbours of a window.
    pub reads: Range<u64>,
    /// Elements of y before the first.
    pub y: u64,
    /// Elements of the weight before the first.
    pub weight: u32,
    /// Records before the first.
    pub record: u32,
    /// Positions along the reduced axes before the first: the channel, for a window.
    pub channel: u32,
}

impl Piece {
    /// All of the tensor.
    pub fn whole(operation: &Operation) -> Self {
        Self {
            axes: operation.axes.clone(),
            x: 0,
            reads: 0..span(&operation.axes, |axis| axis.x),
            y: 0,
            weight: 0,
            record: 0,
            channel: 0,
        }
    }

    /// Elements of y from the first to the last.
    pub fn writes(&self) -> Range<u64> {
        self.y..self.y + span(&self.axes, |axis| axis.y)
    }

    /// Records from the first to the last.
    pub fn records(&self) -> Range<u64> {
        let first = u64::from(self.record);
        first..first + span(&self.axes, |axis| axis.record)
    }
}

/// The blocks of an operation, and the pieces of each.
pub fn blocks(operation: &Operation, facts: &Facts, binding_size: u64, alignment: u32) -> Result<Vec<Vec<Piece>>> {
    let grid = Grid::new(operation, facts, binding_size, alignment)?;
    let cuts = |reduced: bool| -> Vec<Vec<Range<u32>>> {
        let mut boxes = vec![Vec::new()];
        for (axis, &len) in operation.axes.iter().zip(&grid.lens) {
            let ranges: Vec<_> = match axis.reduced == reduced {
                true => (0..axis.extent)
                    .step_by(len as usize)
                    .map(|first| first..axis.extent.min(first + len))
                    .collect(),
                // Whatever the other half of the grid says.
                false => vec![Range::default()],
            };
            boxes = (boxes.iter())
                .flat_map(|cut| {
                    ranges.iter().map(move |range| {
                        let mut cut = cut.clone();
                        cut.push(range.clone());
                        cut
                    })
                })
                .collect();
        }
        boxes
    };
    let reduced = cuts(true);
    let block = |kept: Vec<Range<u32>>| {
        (reduced.iter())
            .map(|reduced| {
                let both: Vec<_> = (operation.axes.iter().zip(kept.iter().zip(reduced)))
                    .map(|(axis, (kept, cut))| if axis.reduced { cut.clone() } else { kept.clone() })
                    .collect();
                grid.piece(&both)
            })
            .collect()
    };
    Ok(cuts(false).into_iter().map(block).collect())
}

/// Refuses more pieces of an argument than a call may have dispatches.
pub fn check_pieces(pieces: u64, argument: &'static str, binding_size: u64) -> Result<()> {
    if pieces > MAX_PIECES {
        bail!(
            Limit,
            argument,
            "bindings of {binding_size} bytes (max_storage_buffer_binding_size) cut it into {pieces} pieces, at most \
             {MAX_PIECES} are supported"
        );
    }
    Ok(())
}

struct Grid<'a> {
    axes: &'a [Axis],
    /// Positions of a piece along every axis; the last piece may have fewer.
    lens: Vec<u32>,
    /// Neighbours before and after an element that are read too.
    window: (u32, u32),
}

impl<'a> Grid<'a> {
    fn new(operation: &'a Operation, facts: &Facts, binding_size: u64, alignment: u32) -> Result<Self> {
        let axes = &operation.axes;
        let mut grid = Self {
            axes,
            lens: axes.iter().map(|axis| axis.extent).collect(),
            window: match operation.statistic {
                Statistic::Window(window) => (window.left, window.right),
                _ => (0, 0),
            },
        };
        let most = binding_size.min(ADDRESSABLE);
        // A binding begins up to this many elements before what it is for.
        let slack = u64::from(alignment / 4) - 1;
        let elements = (most / 4).saturating_sub(slack);
        let records = (most / MOMENTS_BYTES).saturating_sub(u64::from(RECORD_ALIGNMENT) - 1);
        while let Some((strides, most)) = grid.beyond(facts, elements, records) {
            grid.cut(strides, most, alignment)?;
        }
        let pieces = (axes.iter().zip(&grid.lens)).map(|(axis, &len)| u64::from(axis.extent.div_ceil(len)));
        check_pieces(pieces.fold(1, u64::saturating_mul), "shape", binding_size)?;
        Ok(grid)
    }

    /// What of a piece exceeds its limit, by its strides, and the limit.
    fn beyond(&self, facts: &Facts, elements: u64, records: u64) -> Option<(Strides, u64)> {
        let strides = |of, around| Strides { of, around };
        // Neighbours are read, and not written.
        let of_x = strides(|axis| axis.x, self.window.0 + self.window.1);
        let of_y = strides(|axis| axis.y, 0);
        let of_records = strides(|axis| axis.record, 0);
        let (x, y) = (self.span(of_x), self.span(of_y));
        if x > elements {
            return Some((of_x, elements));
        }
        if y > elements {
            return Some((of_y, elements));
        }
        if self.span(of_records) > records {
            return Some((of_records, records));
        }
        let longer = x.max(y);
        if self.together(facts.apart?, x, y) > elements {
            return Some((if x == longer { of_x } else { of_y }, longer - 1));
        }
        None
    }

    /// The most elements that are bound together, of pieces of x and y that meet in one buffer; 0 where none do.
    fn together(&self, apart: i64, x: u64, y: u64) -> u64 {
        let block = elements_of_block();
        let distance = apart.unsigned_abs();
        if self.axes.iter().all(|axis| axis.extent == 1 || axis.x == axis.y) {
            // All pieces are as far apart as the tensors.
            return if distance < x.max(y) + block {
                x.max(y) + distance
            } else {
                0
            };
        }
        // The tensors lie one behind the other; a piece of one end may meet its piece of the other.
        let first = match apart >= 0 {
            true => span(self.axes, |axis| axis.x),
            false => span(self.axes, |axis| axis.y),
        };
        if distance < first + block { x + y + block } else { 0 }
    }

    /// Elements from the first to the last of the largest piece, and of its neighbours.
    fn span(&self, strides: Strides) -> u64 {
        let around = u64::from(strides.around);
        let steps = |(axis, &len): (&Axis, &u32)| {
            let mut positions = u64::from(len);
            if axis.reduced {
                positions = (positions + around).min(u64::from(axis.extent));
            }
            (positions - 1) * u64::from((strides.of)(axis))
        };
        1 + self.axes.iter().zip(&self.lens).map(steps).sum::<u64>()
    }

    /// Cuts the axis of the largest stride into as few even pieces as fit.
    fn cut(&mut self, strides: Strides, most: u64, alignment: u32) -> Result<()> {
        let stride = strides.of;
        // Cutting a broadcast axis would make nothing shorter.
        let divisible = |(i, axis): &(usize, &Axis)| self.lens[*i] > 1 && stride(axis) > 0;
        let by_stride = |(_, axis): &(usize, &Axis)| stride(axis);
        let Some((i, axis)) = (self.axes.iter().enumerate()).filter(divisible).max_by_key(by_stride) else {
            bail!(
                Limit,
                "shape",
                "not even a single element and its neighbours fit the device's max_storage_buffer_binding_size"
            );
        };
        let len = self.lens[i];
        let step = u64::from(stride(axis));
        let others = self.span(strides) - (u64::from(len) - 1) * step;
        let fits = most.saturating_sub(others) / step + 1;
        // At most half, so that few rounds are enough whatever the limit is about.
        let fits = fits.clamp(1, u64::from(len.div_ceil(2))) as u32;
        let mut even = axis.extent.div_ceil(axis.extent.div_ceil(fits));
        // Pieces of a contiguous axis begin at whole units.
        let unit = alignment.max(256) / 4;
        if axis.x.min(axis.y) == 1 && fits >= unit {
            even = even.next_multiple_of(unit).min(fits - fits % unit);
        }
        self.lens[i] = even;
        Ok(())
    }

    fn piece(&self, cuts: &[Range<u32>]) -> Piece {
        let mut piece = Piece {
            axes: self.axes.to_vec(),
            x: 0,
            reads: 0..0,
            y: 0,
            weight: 0,
            record: 0,
            channel: 0,
        };
        let (mut before, mut after) = (0, 0);
        for ((axis, cut), whole) in piece.axes.iter_mut().zip(cuts).zip(self.axes) {
            axis.extent = cut.end - cut.start;
            piece.x += u64::from(cut.start) * u64::from(axis.x);
            piece.y += u64::from(cut.start) * u64::from(axis.y);
            piece.weight += cut.start * axis.weight;
            piece.record += cut.start * axis.record;
            if axis.reduced {
                piece.channel += cut.start;
                before += u64::from(cut.start.min(self.window.0)) * u64::from(axis.x);
                after += u64::from((whole.extent - cut.end).min(self.window.1)) * u64::from(axis.x);
            }
        }
        let elements = span(&piece.axes, |axis| axis.x);
        piece.reads = piece.x - before..piece.x + elements + after;
        piece
    }
}

/// Distances along the axes, and how many neighbours of an element count as well.
#[derive(Clone, Copy)]
struct Strides {
    of: fn(&Axis) -> u32,
    around: u32,
}

/// Elements of the largest block that bindings are aligned to.
fn elements_of_block() -> u64 {
    u64::from(Role::BLOCK / 4)
}
