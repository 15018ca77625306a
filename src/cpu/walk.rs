use std::cmp::Reverse;
use std::ops::Range;

use super::lanes::{UNROLL, WIDTH};
use super::segments::COLUMNS;
use crate::error::{Result, bail};
use crate::geometry::{self, Axis, Digit, Geometry, MAX_DIGITS};
use crate::spec::Operation;

/// The geometry of a dense tensor, in the forms in which it is walked.
pub(super) struct Walk {
    /// Kept and reduced digits, merged where only the weight differs.
    pub statistics: Geometry,
    /// All digits in memory order, not merged where the weight differs.
    pub memory: Vec<Digit>,
    /// Those of the map: rows of neighbouring segments that are taken together are one digit.
    pub mapped: Vec<Digit>,
    /// Rows of neighbouring segments that are mapped as one; 1 where each is by itself.
    pub fold: usize,
    /// Blocks: what the kept digits outside every reduced one number. Each is contiguous and holds whole segments.
    pub blocks: usize,
    /// Elements of a block.
    pub block_len: usize,
    /// Segments of a block.
    pub block_segments: usize,
}

impl Walk {
    /// `axes` are those of the operation, with the strides of a dense tensor.
    pub fn new(operation: &Operation, axes: &[Axis]) -> Result<Self> {
        let statistics = Geometry::for_statistics(axes)?;
        let applied = if operation.weight || operation.bias {
            Geometry::new(axes)?
        } else {
            statistics.clone()
        };
        let mut memory = [applied.kept, applied.reduced].concat();
        memory.sort_by_key(|digit| Reverse(digit.x));
        let mut mapped = memory.clone();
        let mut fold = 1;
        if let [.., rows, inner] = memory[..]
            && inner.record == 1
            && (rows.record, rows.weight) == (0, 0)
        {
            fold = folded_rows(&inner, &rows);
        }
        if fold > 1 {
            let inner = mapped.pop();
            if let (Some(rows), Some(inner)) = (mapped.last_mut(), inner) {
                (rows.extent, rows.x, rows.y) = (rows.extent * inner.extent, 1, 1);
            }
        }
        let mut walk = Self {
            statistics,
            memory,
            mapped,
            fold,
            blocks: 1,
            block_len: 0,
            block_segments: 0,
        };
        let elements = geometry::multiply(walk.statistics.segments, walk.statistics.length, "shape")? as usize;
        if elements == 0 {
            return Ok(walk);
        }
        walk.check_strides(operation.weight_len)?;
        let outermost_reduced = walk.statistics.reduced.first().map_or(0, |digit| digit.x);
        let outer = (walk.statistics.kept.iter()).filter(|digit| digit.x > outermost_reduced);
        walk.blocks = outer.map(|digit| digit.extent as usize).product();
        walk.block_len = elements / walk.blocks;
        walk.block_segments = walk.segments() / walk.blocks;
        Ok(walk)
    }

    pub fn segments(&self) -> usize {
        self.statistics.segments as usize
    }

    pub fn length(&self) -> usize {
        self.statistics.length as usize
    }

    pub fn elements(&self) -> usize {
        self.segments() * self.length()
    }

    /// What the loops rely on: records dense in memory order, the weight contiguous or broadcast along the innermost
    /// digit and indexed within its length.
    fn check_strides(&self, weight_len: u32) -> Result<()> {
        let dense = is_dense(&self.statistics.kept, |digit| digit.record)
            && self.statistics.reduced.iter().all(|digit| digit.record == 0);
        if !dense {
            bail!(Shape, "axes", "do not number the segments in their own order");
        }
        let last = |digit: &Digit| u64::from(digit.extent - 1).saturating_mul(u64::from(digit.weight));
        let last = self.memory.iter().map(last).fold(0, u64::saturating_add);
        if self.memory.last().is_some_and(|inner| inner.weight > 1) || last >= u64::from(weight_len) {
            bail!(Shape, "axes", "do not index a dense weight of {weight_len} elements");
        }
        Ok(())
    }
}

/// Rows of neighbouring segments that are taken for one row, which fills vectors better and is not as short; 1 where they do not
/// follow each other without a gap, or are wide, or whole numbers of the vectors that a loop takes. (Two cores of an AMD EPYC:
/// 1000000x7 5.8 ms instead of 34, but 200704x64 8.0 instead of 5.8; `benches/records/2026-11-27-odd-numbers.md`.)
pub(super) fn folded_rows(columns: &Digit, rows: &Digit) -> usize {
    const VECTORS: u32 = (UNROLL * WIDTH) as u32;
    let follow = columns.x == 1 && rows.x == columns.extent;
    let narrow = columns.extent < 2 * VECTORS && columns.extent != VECTORS;
    match follow && narrow {
        true => (COLUMNS as u32 / columns.extent).min(rows.extent).max(1) as usize,
        false => 1,
    }
}

/// True if `stride` is that of a row-major tensor over `digits`.
fn is_dense(digits: &[Digit], stride: impl Fn(&Digit) -> u32) -> bool {
    let mut expected = 1u64;
    digits.iter().rev().all(|digit| {
        let matches = u64::from(stride(digit)) == expected;
        expected = expected.saturating_mul(u64::from(digit.extent));
        matches
    })
}

/// Consecutive positions along the innermost of some digits.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// Number of positions.
    pub len: usize,
    /// Offset of the first in x.
    pub x: usize,
    /// Offset of the first in the weight.
    pub weight: usize,
    /// Offset of the first in the records.
    pub record: usize,
    /// The innermost digit, for its strides.
    pub inner: Digit,
}

impl Run {
    /// Moves the offsets by `steps` of `digit`.
    fn advance(&mut self, digit: &Digit, steps: usize) {
        self.x += steps * digit.x as usize;
        self.weight += steps * digit.weight as usize;
        self.record += steps * digit.record as usize;
    }

    /// Moves the offsets back from the end of `digit` to its start.
    fn rewind(&mut self, digit: &Digit) {
        self.x -= digit.extent as usize * digit.x as usize;
        self.weight -= digit.extent as usize * digit.weight as usize;
        self.record -= digit.extent as usize * digit.record as usize;
    }
}

/// The runs that cover `positions`, counted row-major over `digits`.
pub(super) fn runs(digits: &[Digit], positions: Range<usize>) -> impl Iterator<Item = Run> + Clone + '_ {
    const SCALAR: Digit = Digit {
        extent: 1,
        x: 1,
        y: 1,
        weight: 0,
        record: 0,
    };
    let (&inner, outer) = digits.split_last().unwrap_or((&SCALAR, &[]));
    let mut next = Run {
        len: 0,
        x: 0,
        weight: 0,
        record: 0,
        inner,
    };
    // Only the first run is found by division; the others follow by counting, which short runs are many enough
    // to need.
    let mut counters = [0; 2 * MAX_DIGITS];
    let start = positions.start % inner.extent as usize;
    next.advance(&inner, start);
    let mut rest = positions.start / inner.extent as usize;
    for (digit, counter) in outer.iter().rev().zip(&mut counters) {
        *counter = rest % digit.extent as usize;
        rest /= digit.extent as usize;
        next.advance(digit, *counter);
    }
    next.len = inner.extent as usize - start;
    let mut left = positions.len();
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let run = Run {
            len: next.len.min(left),
            ..next
        };
        left -= run.len;
        next.advance(&inner, next.len);
        next.rewind(&inner);
        next.len = inner.extent as usize;
        for (digit, counter) in outer.iter().rev().zip(&mut counters) {
            *counter += 1;
            next.advance(digit, 1);
            if *counter < digit.extent as usize {
                break;
            }
            *counter = 0;
            next.rewind(digit);
        }
        Some(run)
    })
}

/// Runs that are taken piece by piece.
pub(super) struct Pieces<I> {
    runs: I,
    /// What is left of the current one.
    left: Option<Run>,
}

impl<I: Iterator<Item = Run>> Pieces<I> {
    pub fn new(mut runs: I) -> Self {
        let left = runs.next();
        Self { runs, left }
    }

    /// The next piece of at most so many positions, within one run; `None` at the end.
    pub fn next(&mut self, most: usize) -> Option<Run> {
        let left = self.left.as_mut()?;
        let piece = Run {
            len: left.len.min(most),
            ..*left
        };
        left.len -= piece.len;
        if left.len == 0 {
            self.left = self.runs.next();
        } else {
            let inner = left.inner;
            left.advance(&inner, piece.len);
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Layout;
    use crate::{BatchNorm, GroupNorm, LayerNorm, Normalization};

    fn walk(builder: impl Normalization) -> Walk {
        let operation = builder.operation().unwrap();
        Walk::new(&operation, &operation.axes).unwrap()
    }

    #[test]
    fn blocks_hold_whole_segments() {
        let blocks = |walk: Walk| (walk.blocks, walk.block_len, walk.block_segments);
        assert_eq!(blocks(walk(LayerNorm::new(&[4, 5, 6]))), (20, 6, 1));
        assert_eq!(blocks(walk(BatchNorm::new(&[4, 5, 6]))), (1, 120, 5));
        let grouped = GroupNorm::new(&[4, 6, 10], 5).layout(Layout::ChannelsLast);
        assert_eq!(blocks(walk(grouped)), (4, 60, 5));
        assert_eq!(blocks(walk(crate::ZScore::new(&[3, 2], &[]))), (6, 1, 1));
    }

    #[test]
    fn runs_cover_a_span() {
        let walk = walk(BatchNorm::new(&[2, 3, 4]));
        let starts = |positions| {
            (runs(&walk.memory, positions))
                .map(|run| (run.x, run.len, run.weight, run.record))
                .collect::<Vec<_>>()
        };
        assert_eq!(starts(3..10), [(3, 1, 0, 0), (4, 4, 1, 1), (8, 2, 2, 2)]);
        assert_eq!(starts(10..14), [(10, 2, 2, 2), (12, 2, 0, 0)]);
        assert_eq!(starts(5..5), []);
    }

    #[test]
    fn pieces_cover_runs() {
        let walk = walk(BatchNorm::new(&[2, 3, 4]));
        let mut pieces = Pieces::new(runs(&walk.memory, 2..10));
        let mut next = |most| pieces.next(most).map(|run| (run.x, run.len, run.weight));
        assert_eq!(next(1), Some((2, 1, 0)));
        assert_eq!(next(3), Some((3, 1, 0)));
        assert_eq!(next(3), Some((4, 3, 1)));
        assert_eq!(next(3), Some((7, 1, 1)));
        assert_eq!(next(9), Some((8, 2, 2)));
        assert_eq!(next(9), None);
    }

    #[test]
    fn strange_records_and_short_weights_are_refused() {
        let dense = LayerNorm::new(&[4, 5, 6]).operation().unwrap();
        for len in [0, 5] {
            let mut short = dense.clone();
            short.weight_len = len;
            assert!(Walk::new(&short, &short.axes).is_err());
        }
        for records in [[1, 4, 0], [6, 1, 0], [5, 1, 1]] {
            let mut strange = dense.clone();
            for (axis, record) in strange.axes.iter_mut().zip(records) {
                axis.record = record;
            }
            assert!(Walk::new(&strange, &strange.axes).is_err());
        }
        assert!(Walk::new(&dense, &dense.axes).is_ok());
    }
}
