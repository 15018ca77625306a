//! Where the features of a matrix lie in memory, and blocks of them.

use std::ops::Range;

use crate::error::{Result, bail};

/// An extent, and the distance between neighbours in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digit {
    pub extent: usize,
    pub stride: usize,
}

/// Where the features of a tensor lie: which elements are scaled alike, by parameters of their own.
///
/// Of a table the features are the columns. What is scaled alike may also be a channel, a sample, or the whole tensor:
/// the tensor is seen as `[outer, feature, inner]`, and a feature has `outer × inner` values, its *rows*, which are
/// numbered `outer index × inner extent + inner index`.
///
/// ```
/// use wgnorm::scaler::Features;
/// let table = Features::columns(1000, 32);
/// assert_eq!((table.count(), table.rows()), (32, 1000));
/// // Of images N×C×H×W, the channels.
/// assert_eq!(Features::axis(&[8, 3, 4, 4], 1)?, Features::channels(8, 3, 16));
/// // The same channels of N×H×W×C are columns.
/// assert_eq!(Features::axis(&[8, 4, 4, 3], 3)?, Features::columns(128, 3));
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    pub(super) outer: Digit,
    pub(super) feature: Digit,
    pub(super) inner: Digit,
}

impl Features {
    /// `[outer, features, inner]`, dense and row-major.
    fn dense(outer: usize, features: usize, inner: usize) -> Self {
        let digit = |extent, stride| Digit { extent, stride };
        Self {
            outer: digit(outer, features.saturating_mul(inner)),
            feature: digit(features, inner),
            inner: digit(inner, 1),
        }
    }

    /// The columns of a row-major table.
    pub fn columns(rows: usize, columns: usize) -> Self {
        Self::dense(rows, columns, 1)
    }

    /// The channels of N×C×spatial.
    pub fn channels(samples: usize, channels: usize, spatial: usize) -> Self {
        Self::dense(samples, channels, spatial)
    }

    /// Every row of a row-major table is a feature: samples, each with parameters of its own; or the columns of a
    /// column-major table.
    pub fn samples(samples: usize, length: usize) -> Self {
        Self::dense(1, samples, length)
    }

    /// All elements are one feature.
    pub fn whole(elements: usize) -> Self {
        Self::dense(1, 1, elements)
    }

    /// The features are indexed by one axis of a dense row-major tensor.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if there is no such axis.
    pub fn axis(shape: &[usize], axis: usize) -> Result<Self> {
        let Some(&features) = shape.get(axis) else {
            bail!(Shape, "axis", "is {axis}, the shape has {} axes", shape.len());
        };
        let product = |extents: &[usize]| {
            extents
                .iter()
                .try_fold(1usize, |so_far, &extent| so_far.checked_mul(extent))
        };
        match (product(&shape[..axis]), product(&shape[axis + 1..])) {
            (Some(outer), Some(inner)) => Ok(Self::dense(outer, features, inner)),
            _ => bail!(Overflow, "shape", "{shape:?} has more elements than memory"),
        }
    }

    /// The distances between neighbours in elements, where the tensor is not dense: rows with a pitch, columns of a
    /// column-major table, every second column.
    pub fn strides(mut self, outer: usize, feature: usize, inner: usize) -> Self {
        self.outer.stride = outer;
        self.feature.stride = feature;
        self.inner.stride = inner;
        self
    }

    /// Number of features.
    pub fn count(&self) -> usize {
        self.feature.extent
    }

    /// Number of rows, the values of a feature.
    pub fn rows(&self) -> usize {
        self.outer.extent.saturating_mul(self.inner.extent)
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.rows().saturating_mul(self.count())
    }

    /// Elements from the first to the last, with those between.
    pub fn span(&self) -> usize {
        if self.elements() == 0 {
            return 0;
        }
        (self.digits().iter())
            .map(|digit| (digit.extent - 1).saturating_mul(digit.stride))
            .fold(1, usize::saturating_add)
    }

    fn digits(&self) -> [Digit; 3] {
        [self.outer, self.feature, self.inner]
    }

    /// Where an element lies.
    pub(super) fn offset(&self, row: usize, feature: usize) -> usize {
        let (outer, inner) = (row / self.inner.extent, row % self.inner.extent);
        outer * self.outer.stride + feature * self.feature.stride + inner * self.inner.stride
    }

    /// Refuses a slice that is too short.
    pub(super) fn check(&self, argument: &'static str, len: usize) -> Result<()> {
        match self.span() {
            span if span <= len && self.elements() < usize::MAX => Ok(()),
            span => bail!(
                Size,
                argument,
                "has {len} elements, {} rows of {} features reach over {span}",
                self.rows(),
                self.count()
            ),
        }
    }

    /// Refuses no rows.
    pub(super) fn check_rows(&self, argument: &'static str) -> Result<()> {
        if self.rows() == 0 {
            bail!(Data, argument, "has no rows, there is nothing to learn from");
        }
        Ok(())
    }

    /// Refuses another number of features.
    pub(super) fn expect(&self, argument: &'static str, count: usize) -> Result<()> {
        if self.count() != count {
            bail!(
                Shape,
                argument,
                "has {} features, the parameters are those of {count}",
                self.count()
            );
        }
        Ok(())
    }

    /// Refuses features that share elements, as an output must not.
    pub(super) fn check_distinct(&self, argument: &'static str) -> Result<()> {
        if self.elements() == 0 {
            return Ok(());
        }
        let mut digits = self.digits();
        digits.sort_by_key(|digit| digit.stride);
        let mut span = 1usize;
        for digit in digits.into_iter().filter(|digit| digit.extent > 1) {
            if digit.stride < span {
                bail!(
                    Shape,
                    argument,
                    "elements share places: {} at a distance of {}, over {span}",
                    digit.extent,
                    digit.stride
                );
            }
            span = span.saturating_add((digit.extent - 1).saturating_mul(digit.stride));
        }
        Ok(())
    }

    /// With all rows as one outer digit.
    pub(super) fn with_rows(mut self, rows: Digit) -> Self {
        self.outer = rows;
        self.inner = Digit { extent: 1, stride: 0 };
        self
    }

    /// With rows that are one digit as two.
    pub(super) fn split_rows(mut self, rows: Digit, inner: usize) -> Self {
        self.inner = Digit {
            extent: inner,
            stride: rows.stride,
        };
        self.outer = Digit {
            extent: rows.extent / inner.max(1),
            stride: rows.stride * inner,
        };
        self
    }

    /// Both row digits as one, where they are.
    pub(super) fn collapsed(&self) -> Option<Digit> {
        let Self { outer, inner, .. } = *self;
        let extent = self.rows();
        let stride = if inner.extent == 1 {
            outer.stride
        } else if outer.extent == 1 || outer.stride == inner.extent * inner.stride {
            inner.stride
        } else {
            return None;
        };
        Some(Digit { extent, stride })
    }

    /// All elements in blocks that stay in a cache. How they are cut depends on the features alone.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        if self.elements() == 0 {
            return blocks;
        }
        match self.collapsed() {
            Some(rows) => self.cut(rows, 0, &mut blocks),
            None if self.inner.stride == 1 && self.inner.extent < RUN => self.gather(&mut blocks),
            None => {
                for outer in 0..self.outer.extent {
                    self.cut(self.inner, outer, &mut blocks);
                }
            }
        }
        blocks
    }

    /// These rows of these features, which are not empty.
    pub(super) fn block(&self, rows: Range<usize>, features: Range<usize>) -> Block {
        let Digit { extent, stride } = self.inner;
        let pitch = match self.collapsed() {
            Some(rows) => Some(rows.stride),
            None if rows.start / extent == (rows.end - 1) / extent => Some(stride),
            None => None,
        };
        let together = features.len() == 1 || self.feature.stride == 1;
        Block {
            place: (pitch.filter(|_| together)).map(|pitch| (self.offset(rows.start, features.start), pitch)),
            features,
            rows,
        }
    }

    /// Cuts rows that lie at equal distances: of one outer index, or all of them.
    fn cut(&self, rows: Digit, outer: usize, blocks: &mut Vec<Block>) {
        let first = outer * rows.extent;
        let mut push = |features: Range<usize>, piece: Range<usize>| {
            blocks.push(self.block(first + piece.start..first + piece.end, features));
        };
        let count = self.count();
        if self.feature.stride == 1 || count == 1 {
            let width = count.min(WIDE);
            for features in pieces(0..count, width) {
                for piece in pieces(0..rows.extent, (BLOCK / width).max(1)) {
                    push(features.clone(), piece);
                }
            }
        } else if rows.stride == 1 {
            for feature in 0..count {
                for piece in pieces(0..rows.extent, BLOCK) {
                    push(feature..feature + 1, piece);
                }
            }
        } else if outer == 0 {
            self.gather(blocks);
        }
    }

    /// Cuts into blocks that have to be copied together.
    fn gather(&self, blocks: &mut Vec<Block>) {
        let width = self.count().min(WIDE);
        for features in pieces(0..self.count(), width) {
            for rows in pieces(0..self.rows(), (BLOCK / width).max(1)) {
                blocks.push(self.block(rows, features.clone()));
            }
        }
    }

    /// True if rows lie at equal distances, and the features of each are neighbours.
    pub(super) fn are_columns(&self) -> Option<usize> {
        let pitch = self.collapsed()?.stride;
        (self.count() == 1 || self.feature.stride == 1).then_some(pitch)
    }
}

/// Elements of a block: what a second cache holds.
const BLOCK: usize = 1 << 15;
/// Features of a block, at most: more rows of fewer make fewer partial results.
const WIDE: usize = 512;
/// Shorter runs are copied together.
const RUN: usize = 64;

fn pieces(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(len).map(move |start| start..(start + len).min(end))
}

/// Some rows of neighbouring features.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    /// Where the first element lies and how far rows are apart, if features are neighbours in memory.
    place: Option<(usize, usize)>,
    pub features: Range<usize>,
    pub rows: Range<usize>,
}

/// A block in memory: rows of `width` neighbours, `pitch` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a, T> {
    pub data: &'a [T],
    pub width: usize,
    pub rows: usize,
    pub pitch: usize,
}

impl Block {
    /// The elements of the block, in place or copied to the buffer.
    pub fn values<'a, T: Copy>(&self, features: &Features, x: &'a [T], buffer: &'a mut Vec<T>) -> Values<'a, T> {
        let (width, rows) = (self.features.len(), self.rows.len());
        match self.place {
            Some((offset, pitch)) => Values {
                data: &x[offset..][..(rows - 1) * pitch + width],
                width,
                rows,
                pitch,
            },
            None => {
                buffer.clear();
                for row in self.rows.clone() {
                    let first = features.offset(row, self.features.start);
                    buffer.extend((0..width).map(|i| x[first + i * features.feature.stride]));
                }
                Values {
                    data: buffer,
                    width,
                    rows,
                    pitch: width,
                }
            }
        }
    }
}

impl<'a, T> Values<'a, T> {
    /// As wider rows, where rows follow each other and are short: as many as make whole vectors. What is left over are
    /// the last rows.
    pub fn widened(self, unit: usize) -> (Self, Option<Self>) {
        let (mut a, mut b) = (self.width, unit);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        match self.width <= 64 {
            true => self.repeated(unit / a),
            false => (self, None),
        }
    }

    /// As rows of so many rows each, where rows follow each other. What is left over are the last rows.
    pub fn repeated(self, times: usize) -> (Self, Option<Self>) {
        if self.pitch != self.width || times <= 1 || self.rows < times {
            return (self, None);
        }
        let rows = self.rows / times;
        let (head, tail) = self.data.split_at(rows * times * self.width);
        let wide = self.width * times;
        let rest = Self {
            data: tail,
            rows: self.rows - rows * times,
            ..self
        };
        (
            Self {
                data: head,
                width: wide,
                rows,
                pitch: wide,
            },
            (rest.rows > 0).then_some(rest),
        )
    }

    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [T] {
        &self.data[row * self.pitch..][..self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every element is in one block, at its place.
    #[track_caller]
    fn assert_covers(features: Features) {
        let x: Vec<usize> = (0..features.span()).collect();
        let mut seen = vec![0; features.span()];
        let mut buffer = Vec::new();
        for block in features.blocks() {
            let values = block.values(&features, &x, &mut buffer);
            for (i, row) in block.rows.clone().enumerate() {
                for (j, feature) in block.features.clone().enumerate() {
                    let place = features.offset(row, feature);
                    assert_eq!(values.row(i)[j], place);
                    seen[place] += 1;
                }
            }
        }
        assert_eq!(seen.iter().sum::<usize>(), features.elements());
        assert!(seen.iter().all(|&times| times <= 1));
    }

    #[test]
    fn blocks_cover_every_layout() {
        assert_covers(Features::columns(5000, 7));
        assert_covers(Features::columns(3, 1031));
        assert_covers(Features::columns(0, 3));
        assert_covers(Features::columns(3, 0));
        assert_covers(Features::whole(70_001));
        assert_covers(Features::samples(5, 40_000));
        assert_covers(Features::channels(3, 4, 100));
        assert_covers(Features::channels(30, 4, 9));
        assert_covers(Features::columns(50, 3).strides(8, 2, 0));
        assert_covers(Features::columns(50, 3).strides(8, 1, 0));
        assert_covers(Features::columns(50, 3).strides(1, 50, 0));
        assert_covers(Features::channels(3, 4, 100).strides(1000, 1, 10));
        assert_covers(Features::channels(3, 4, 100).strides(1000, 2, 10));
        assert_covers(Features::channels(2, 1, 100).strides(1000, 1, 3));
    }

    #[test]
    fn slices_and_shapes_are_checked() {
        assert_eq!(Features::columns(3, 4).strides(10, 2, 1).span(), 27);
        assert!(Features::columns(3, 4).check("x", 11).is_err());
        assert!(Features::columns(usize::MAX, 4).check("x", usize::MAX).is_err());
        assert!(Features::axis(&[2, 3], 2).is_err());
        assert!(Features::axis(&[usize::MAX, 2, 2], 2).is_err());
        assert!(Features::columns(3, 4).strides(3, 1, 1).check_distinct("y").is_err());
        assert!(Features::columns(3, 4).strides(1, 3, 0).check_distinct("y").is_ok());
    }
}
