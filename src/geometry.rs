//! Shape and axes to digits: what every kernel iterates over.
//!
//! A normalization reduces **segments** of a tensor to a few statistics. Each axis is *kept* (it numbers the
//! segments) or *reduced* (it runs inside one). Axes of extent 1 are dropped; neighbours that are alike (both
//! kept or both reduced, contiguous in x and y, and contiguous or both broadcast in the weight and in the
//! records) are merged. What is left are at most [`MAX_DIGITS`] kept and as many reduced digits, in memory order.

use crate::error::{Result, bail};

/// The most kept digits, and the most reduced digits, that the kernels decode.
pub const MAX_DIGITS: usize = 4;

/// The highest rank of a tensor.
pub const MAX_RANK: usize = 8;

/// One axis of a tensor, in memory order, before merging. Strides count elements; 0 means broadcast.
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

/// The digits of one tensor under one normalization, outermost first.
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
    /// Merges `axes` (in memory order) for kernels that read the weight.
    pub fn new(axes: &[Axis]) -> Result<Self> {
        Self::merged(axes, Merge::WithWeight)
    }

    /// Merges `axes` for kernels that only take statistics: longer runs where only the weight differs.
    pub fn for_statistics(axes: &[Axis]) -> Result<Self> {
        Self::merged(axes, Merge::IgnoringWeight)
    }

    fn merged(axes: &[Axis], rule: Merge) -> Result<Self> {
        let mut digits: Vec<(bool, Digit)> = Vec::with_capacity(axes.len());
        for axis in axes.iter().filter(|axis| axis.extent != 1) {
            let inner = Digit {
                extent: axis.extent,
                x: axis.x,
                y: axis.y,
                weight: if rule == Merge::WithWeight { axis.weight } else { 0 },
                record: axis.record,
            };
            match digits.last_mut() {
                Some((reduced, outer)) if *reduced == axis.reduced && outer.continues_into(&inner) => {
                    outer.extent = multiply(outer.extent, inner.extent, "shape")?;
                    (outer.x, outer.y) = (inner.x, inner.y);
                    (outer.weight, outer.record) = (inner.weight, inner.record);
                }
                _ => digits.push((axis.reduced, inner)),
            }
        }
        let inner_reduced = digits.last().is_none_or(|(reduced, _)| *reduced);
        let (reduced, kept): (Vec<_>, Vec<_>) = digits.into_iter().partition(|(reduced, _)| *reduced);
        let strip = |digits: Vec<(bool, Digit)>| digits.into_iter().map(|(_, d)| d).collect::<Vec<_>>();
        let (kept, reduced) = (strip(kept), strip(reduced));
        for (name, digits) in [("kept", &kept), ("reduced", &reduced)] {
            if digits.len() > MAX_DIGITS {
                bail!(
                    Shape,
                    "axes",
                    "{} separate {name} axes remain after merging neighbours, at most {MAX_DIGITS} are supported",
                    digits.len()
                );
            }
        }
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

/// A dense tensor in memory order: extents, and for each axis whether it is reduced and whether it indexes the
/// weight. Computes the strides, the records being dense over the kept axes and the weight over its own.
pub fn dense_axes(extents: &[(u32, bool, bool)]) -> Result<Vec<Axis>> {
    let mut axes = vec![
        Axis {
            extent: 1,
            reduced: false,
            x: 1,
            y: 1,
            weight: 0,
            record: 0,
        };
        extents.len()
    ];
    let (mut x, mut weight, mut record) = (1u32, 1u32, 1u32);
    for (axis, &(extent, reduced, weighted)) in axes.iter_mut().zip(extents).rev() {
        *axis = Axis {
            extent,
            reduced,
            x,
            y: x,
            weight: if weighted { weight } else { 0 },
            record: if reduced { 0 } else { record },
        };
        x = multiply(x, extent.max(1), "shape")?;
        if weighted {
            weight = multiply(weight, extent.max(1), "shape")?;
        }
        if !reduced {
            record = multiply(record, extent.max(1), "shape")?;
        }
    }
    Ok(axes)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(extents: &[(u32, bool, bool)]) -> Geometry {
        Geometry::new(&dense_axes(extents).unwrap()).unwrap()
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
        let axes = dense_axes(&extents).unwrap();
        assert_eq!(Geometry::new(&axes).unwrap().run(), 10);
        assert_eq!(Geometry::for_statistics(&axes).unwrap().run(), 40);
    }

    #[test]
    fn empty_and_overflowing_shapes() {
        assert_eq!(product([0, 5], "shape"), Ok(0));
        assert!(extents(&[1 << 16, 1 << 16], "shape").is_err());
        assert!(extents(&[1 << 40], "shape").is_err());
        assert!(extents(&[1; 9], "shape").is_err());
    }
}
