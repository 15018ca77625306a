//! Tensors with strides: copied into dense ones, and dense ones into them.

use rayon::prelude::*;

use crate::error::{Result, bail};
use crate::geometry::{self, Axis, Digit, Geometry};

/// Elements that a task copies.
pub(super) const SPAN: usize = 1 << 14;

/// Where x and y lie.
pub(super) struct Views {
    /// The operation's axes, with the strides of an x and a y that are dense and row-major.
    pub axes: Vec<Axis>,
    /// How x is made dense, if it is not.
    pub x: Option<Transfer>,
    /// How y is made of a dense one, if it is not dense itself.
    pub y: Option<Transfer>,
}

impl Views {
    pub fn new(axes: &[Axis]) -> Result<Self> {
        let extents: Vec<_> = axes.iter().map(|axis| axis.extent).collect();
        let dense = geometry::dense_strides(&extents, "shape")?;
        let with_dense = |(&axis, &stride): (&Axis, &u32)| Axis {
            x: stride,
            y: stride,
            ..axis
        };
        Ok(Self {
            axes: axes.iter().zip(&dense).map(with_dense).collect(),
            x: Transfer::new(axes, |i| dense[i], |i| axes[i].x)?,
            y: Transfer::new(axes, |i| axes[i].y, |i| dense[i])?,
        })
    }
}

/// Where x, dy and dx lie: dx as x does, dy as y.
pub(super) struct GradientViews {
    /// The operation's axes, with the strides of tensors that are dense and row-major.
    pub axes: Vec<Axis>,
    /// How x is made dense, if it is not.
    pub x: Option<Transfer>,
    /// How dy is made dense, if it is not.
    pub dy: Option<Transfer>,
    /// How dx is made of a dense one, if it is not dense itself.
    pub dx: Option<Transfer>,
}

impl GradientViews {
    /// `writes` if dx is asked for.
    pub fn new(axes: &[Axis], writes: bool) -> Result<Self> {
        let Views { axes: dense, x, .. } = Views::new(axes)?;
        let dy = Transfer::new(axes, |i| dense[i].x, |i| axes[i].y)?;
        let broadcast = |axis: &Axis| axis.x == 0 && axis.extent > 1;
        if writes && axes.iter().any(broadcast) {
            bail!(
                Shape,
                "dx",
                "would lie as x does, several of whose elements share a place"
            );
        }
        let dx = match writes {
            true => Transfer::new(axes, |i| axes[i].x, |i| dense[i].x)?,
            false => None,
        };
        Ok(Self { axes: dense, x, dy, dx })
    }
}

/// A copy between tensors of one shape and different strides.
pub(super) struct Transfer {
    /// Sorted by the stride in the target, each of which steps over all that lies inside of it.
    steps: Vec<Step>,
}

/// An axis, or several that are like one in either tensor.
struct Step {
    extent: usize,
    source: usize,
    target: usize,
}

impl Transfer {
    /// The copy between these strides of each axis, unless they are the same.
    fn new(axes: &[Axis], target: impl Fn(usize) -> u32, source: impl Fn(usize) -> u32) -> Result<Option<Self>> {
        let same = |(i, axis): (usize, &Axis)| axis.extent == 1 || target(i) == source(i);
        if axes.iter().enumerate().all(same) {
            return Ok(None);
        }
        // A geometry sorts axes by their strides in x and merges those that are alike.
        let pair = |(i, axis): (usize, &Axis)| Axis {
            extent: axis.extent,
            reduced: false,
            x: target(i),
            y: source(i),
            weight: 0,
            record: 0,
        };
        let pairs: Vec<_> = axes.iter().enumerate().map(pair).collect();
        let step = |digit: Digit| Step {
            extent: digit.extent as usize,
            source: digit.y as usize,
            target: digit.x as usize,
        };
        let steps: Vec<_> = Geometry::new(&pairs)?.kept.into_iter().map(step).collect();
        let (mut inside, empty) = (1, axes.iter().any(|axis| axis.extent == 0));
        for Step { target, extent, .. } in steps.iter().rev() {
            if *target < inside && !empty {
                bail!(
                    Shape,
                    "axes",
                    "a stride of {target} does not step over the {inside} elements inside of it: y would overlap itself"
                );
            }
            inside += target * extent.saturating_sub(1);
        }
        Ok(Some(Self { steps }))
    }

    /// Copies; what lies between the elements of the target stays.
    pub fn run(&self, source: &[f32], target: &mut [f32]) {
        copy(&self.steps, source, target);
    }
}

fn copy(steps: &[Step], source: &[f32], target: &mut [f32]) {
    match steps {
        [] => target[0] = source[0],
        [only] if only.extent <= SPAN => {
            for i in 0..only.extent {
                target[i * only.target] = source[i * only.source];
            }
        }
        [outer, inner @ ..] => {
            let inside: usize = inner.iter().map(|step| step.extent).product();
            let positions = (SPAN / inside).max(1);
            let task = |first: usize, target: &mut [f32]| {
                for i in 0..positions.min(outer.extent - first) {
                    let source = &source[(first + i) * outer.source..];
                    copy(inner, source, &mut target[i * outer.target..]);
                }
            };
            if outer.extent <= positions {
                return task(0, target);
            }
            (target.par_chunks_mut(positions * outer.target).enumerate())
                .take(outer.extent.div_ceil(positions))
                .for_each(|(i, target)| task(i * positions, target));
        }
    }
}
