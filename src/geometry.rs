//! Shape and axes to digits: what every kernel iterates over.
//!
//! A normalization reduces **segments** of a tensor to a few statistics. Each axis is *kept* (it numbers the
//! segments) or *reduced* (it runs inside one). Axes of extent 1 are dropped, the others are sorted by their stride in
//! x, and neighbours that are alike (both kept or both reduced, contiguous in x and y, and contiguous or both broadcast
//! in the weight and in the records) are merged. What is left are at most [`MAX_DIGITS`] *digits*, in memory order of x.

use crate::error::{Result, bail};

/// The highest rank of a tensor.
pub const MAX_RANK: usize = 8;

/// The most digits that the kernels decode, kept and reduced together: an axis each, and two for the channel axis of a
/// group norm.
pub const MAX_DIGITS: usize = MAX_RANK + 1;

/// One axis of a tensor, before merging. Strides count elements; 0 means broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Number of positions along the axis.
    pub extent: u32,
    /// True if the statistics are taken over this axis.
    pub reduced: bool,
    /// Distance between neighbours in x.
    pub x: u32,
    /// Distance between neighbours in y.
    pub y: u32,
    /// Distance between neighbours in weight and bias.
    pub weight: u32,
    /// Distance between neighbours in the statistics records; 0 for every reduced axis.
    pub record: u32,
}

/// A merged axis: the unit of the kernels' index decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit {
    /// Number of positions.
    pub extent: u32,
    /// Stride in x, in elements.
    pub x: u32,
    /// Stride in y, in elements.
    pub y: u32,
    /// Stride in weight and bias, in elements; 0 for broadcast.
    pub weight: u32,
    /// Stride in the records, in records; 0 for reduced digits.
    pub record: u32,
}

/// The digits of one tensor under one normalization, outermost in x first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Digits that number the segments.
    pub kept: Vec<Digit>,
    /// Digits inside a segment.
    pub reduced: Vec<Digit>,
    /// Number of segments: the product of the kept extents.
    pub segments: u32,
    /// Elements of one segment: the product of the reduced extents.
    pub length: u32,
    /// True if the innermost digit of the tensor is a reduced one (or there is no kept one).
    pub inner_reduced: bool,
}

/// Which strides must agree for two neighbours to be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    /// All strides: for kernels that apply the affine map.
    WithWeight,
    /// All but the weight's: for kernels that only take statistics.
    IgnoringWeight,
}

impl Geometry {
    /// Merges `axes` for kernels that read the weight.
    pub fn new(axes: &[Axis]) -> Result<Self> {
        Self::merged(axes, Merge::WithWeight)
    }

    /// Merges `axes` for kernels that only take statistics: longer runs where only the weight differs.
    pub fn for_statistics(axes: &[Axis]) -> Result<Self> {
        Self::merged(axes, Merge::IgnoringWeight)
    }

    fn merged(axes: &[Axis], rule: Merge) -> Result<Self> {
        let mut axes: Vec<_> = axes.iter().filter(|axis| axis.extent != 1).collect();
        // A broadcast axis repeats what lies inside it: it is outermost.
        axes.sort_by_key(|axis| std::cmp::Reverse(if axis.x == 0 { u32::MAX } else { axis.x }));
        let mut digits: Vec<(bool, Digit)> = Vec::with_capacity(axes.len());
        for axis in axes {
            let inner = Digit {
                extent: axis.extent,
                x: axis.x,
                y: axis.y,
                weight: if rule == Merge::WithWeight { axis.weight } else { 0 },
                record: axis.record,
            };
            match digits.last_mut() {
                Some((reduced, outer)) if *reduced == axis.reduced && outer.continues_into(&inner) => {
                    let extent = multiply(outer.extent, inner.extent, "shape")?;
                    *outer = Digit { extent, ..inner };
                }
                _ => digits.push((axis.reduced, inner)),
            }
        }
        if digits.len() > MAX_DIGITS {
            bail!(
                Shape,
                "axes",
                "{} separate axes remain after merging neighbours, at most {MAX_DIGITS} are supported",
                digits.len()
            );
        }
        let inner_reduced = digits.last().is_none_or(|(reduced, _)| *reduced);
        let (reduced, kept): (Vec<_>, Vec<_>) = digits.into_iter().partition(|(reduced, _)| *reduced);
        let strip = |digits: Vec<(bool, Digit)>| digits.into_iter().map(|(_, d)| d).collect::<Vec<_>>();
        let (kept, reduced) = (strip(kept), strip(reduced));
        Ok(Self {
            segments: product(kept.iter().map(|d| d.extent), "shape")?,
            length: product(reduced.iter().map(|d| d.extent), "shape")?,
            inner_reduced,
            kept,
            reduced,
        })
    }

    /// The extent of the innermost reduced digit if it is contiguous in x and y, else 1: the length of a *run*.
    pub fn run(&self) -> u32 {
        match self.reduced.last() {
            Some(d) if self.inner_reduced && d.x == 1 && d.y == 1 => d.extent,
            _ => 1,
        }
    }

    /// Number of elements: segments times length.
    pub fn elements(&self) -> u64 {
        u64::from(self.segments) * u64::from(self.length)
    }
}

impl Digit {
    /// True if a step of `self` is `inner.extent` steps of `inner` everywhere.
    fn continues_into(&self, inner: &Digit) -> bool {
        let follows = |outer: u32, stride: u32| u64::from(outer) == u64::from(stride) * u64::from(inner.extent);
        follows(self.x, inner.x)
            && follows(self.y, inner.y)
            && follows(self.weight, inner.weight)
            && follows(self.record, inner.record)
    }
}

/// Elements from the first to the last of a tensor, both included, where `stride` gives the strides of `axes`; 0 for an
/// empty one.
pub fn span(axes: &[Axis], stride: impl Fn(&Axis) -> u32) -> u64 {
    if axes.iter().any(|axis| axis.extent == 0) {
        return 0;
    }
    let steps = |axis: &Axis| u64::from(axis.extent - 1) * u64::from(stride(axis));
    1 + axes.iter().map(steps).sum::<u64>()
}

/// Row-major strides of a dense tensor whose axes have these extents, or an error that names `argument`.
pub fn dense_strides(extents: &[u32], argument: &'static str) -> Result<Vec<u32>> {
    let mut strides = vec![1; extents.len()];
    let mut stride = 1u32;
    for (slot, &extent) in strides.iter_mut().zip(extents).rev() {
        *slot = stride;
        stride = multiply(stride, extent.max(1), argument)?;
    }
    Ok(strides)
}

/// Extents of a shape as the kernels count them, or an error that names `argument`.
pub fn extents(shape: &[usize], argument: &'static str) -> Result<Vec<u32>> {
    if shape.len() > MAX_RANK {
        bail!(
            Shape,
            argument,
            "rank {} is above the supported {MAX_RANK}",
            shape.len()
        );
    }
    let mut extents = Vec::with_capacity(shape.len());
    for &extent in shape {
        match u32::try_from(extent) {
            Ok(extent) => extents.push(extent),
            Err(_) => bail!(Overflow, argument, "extent {extent} does not fit 32 bits"),
        }
    }
    product(extents.iter().copied(), argument)?;
    Ok(extents)
}

/// Product of extents, with 0 kept as 0.
pub fn product(extents: impl IntoIterator<Item = u32>, argument: &'static str) -> Result<u32> {
    let (mut total, mut empty) = (1u32, false);
    for extent in extents {
        empty |= extent == 0;
        total = multiply(total, extent.max(1), argument)?;
    }
    Ok(if empty { 0 } else { total })
}

/// `a * b`, or an error that names `argument`.
pub fn multiply(a: u32, b: u32, argument: &'static str) -> Result<u32> {
    match a.checked_mul(b) {
        // 2^31 elements and more would need 64-bit indices in bytes on every adapter.
        Some(product) if product <= i32::MAX as u32 => Ok(product),
        _ => bail!(Overflow, argument, "{a} x {b} elements are more than 2^31 - 1"),
    }
}

/// A stride times a number of steps, within 32 bits.
pub fn stride(stride: u32, steps: u32, argument: &'static str) -> Result<u32> {
    match stride.checked_mul(steps) {
        Some(product) => Ok(product),
        None => bail!(
            Overflow,
            argument,
            "{steps} steps of {stride} elements do not fit 32 bits"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dense tensor: extents, whether an axis is reduced, and whether it indexes the weight.
    fn dense_axes(axes: &[(u32, bool, bool)]) -> Vec<Axis> {
        let strides = |counts: &dyn Fn(&(u32, bool, bool)) -> bool| {
            let extents: Vec<_> = axes.iter().map(|axis| if counts(axis) { axis.0 } else { 1 }).collect();
            dense_strides(&extents, "shape").unwrap()
        };
        let (x, weight, record) = (strides(&|_| true), strides(&|axis| axis.2), strides(&|axis| !axis.1));
        (axes.iter().enumerate())
            .map(|(i, &(extent, reduced, weighted))| Axis {
                extent,
                reduced,
                x: x[i],
                y: x[i],
                weight: if weighted { weight[i] } else { 0 },
                record: if reduced { 0 } else { record[i] },
            })
            .collect()
    }

    fn geometry(extents: &[(u32, bool, bool)]) -> Geometry {
        Geometry::new(&dense_axes(extents)).unwrap()
    }

    #[test]
    fn trailing_axes_merge_into_one_run() {
        let g = geometry(&[(4, false, false), (5, false, false), (6, true, true), (7, true, true)]);
        assert_eq!((g.segments, g.length, g.run()), (20, 42, 42));
        assert_eq!((g.kept.len(), g.reduced.len()), (1, 1));
        assert_eq!(g.reduced[0].weight, 1);
    }

    #[test]
    fn batch_norm_keeps_the_channel_between_reduced_axes() {
        let g = geometry(&[(2, true, false), (3, false, true), (4, true, false), (5, true, false)]);
        assert_eq!((g.segments, g.length, g.run()), (3, 40, 20));
        assert_eq!(g.reduced.iter().map(|d| d.x).collect::<Vec<_>>(), [60, 1]);
        assert_eq!((g.kept[0].x, g.kept[0].weight, g.kept[0].record), (20, 1, 1));
    }

    #[test]
    fn axes_of_extent_one_vanish() {
        let g = geometry(&[(1, true, false), (3, false, true), (1, true, false)]);
        assert_eq!((g.segments, g.length), (3, 1));
        assert!(g.reduced.is_empty() && !g.inner_reduced);
    }

    #[test]
    fn a_weight_that_changes_inside_a_segment_splits_runs_only_where_it_is_read() {
        // Group norm: N, G, C/G, S.
        let extents = [(2, false, false), (3, false, true), (4, true, true), (10, true, false)];
        let axes = dense_axes(&extents);
        assert_eq!(Geometry::new(&axes).unwrap().run(), 10);
        assert_eq!(Geometry::for_statistics(&axes).unwrap().run(), 40);
    }

    #[test]
    fn permuted_axes_are_sorted_before_they_merge() {
        // The axes of N×C×H×W, in a memory of N×H×W×C.
        let mut axes = dense_axes(&[(2, false, false), (3, false, true), (4, true, false), (5, true, false)]);
        for (axis, stride) in axes.iter_mut().zip([60, 1, 15, 3]) {
            (axis.x, axis.y) = (stride, stride);
        }
        let g = Geometry::new(&axes).unwrap();
        assert_eq!((g.segments, g.length, g.inner_reduced), (6, 20, false));
        assert_eq!(
            g.kept.iter().map(|d| (d.x, d.record)).collect::<Vec<_>>(),
            [(60, 3), (1, 1)]
        );
        assert_eq!((g.reduced.len(), g.reduced[0].x), (1, 3));
        assert_eq!(span(&axes, |axis| axis.x), 120);
        // Into a dense N×C×H×W nothing merges that is not contiguous there too.
        for (axis, stride) in axes.iter_mut().zip([60, 20, 5, 1]) {
            axis.y = stride;
        }
        assert_eq!(Geometry::new(&axes).unwrap().reduced.len(), 1);
        axes[2].y = 7;
        assert_eq!(Geometry::new(&axes).unwrap().reduced.len(), 2);
    }

    #[test]
    fn empty_and_overflowing_shapes() {
        assert_eq!(product([0, 5], "shape"), Ok(0));
        assert!(extents(&[1 << 16, 1 << 16], "shape").is_err());
        assert!(extents(&[1 << 40], "shape").is_err());
        assert!(extents(&[1; 9], "shape").is_err());
    }
}
