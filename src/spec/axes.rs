//! A shape and what its axes are to a normalization: from the caller's words to [`Axis`].

use super::Layout;
use crate::error::{Result, bail};
use crate::geometry::{self, Axis, dense_strides};

/// A tensor as a builder describes it: row-major unless strides say otherwise.
pub(crate) struct Tensor {
    extents: Vec<u32>,
    parts: Vec<Part>,
    /// The axes in the memory order of y, outermost first, where it is not that of x.
    y_order: Option<Vec<usize>>,
}

/// An axis, or one of the two that a channel axis falls into when channels are grouped.
struct Part {
    axis: usize,
    extent: u32,
    reduced: bool,
    weighted: bool,
}

/// Distances between neighbours along each axis of the shape, in elements, where a tensor is not dense.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Strides {
    pub x: Option<Vec<usize>>,
    pub y: Option<Vec<usize>>,
}

impl Tensor {
    /// All axes kept, none indexing a weight.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let extents = geometry::extents(shape, "shape")?;
        let part = |(axis, &extent)| Part {
            axis,
            extent,
            reduced: false,
            weighted: false,
        };
        Ok(Self {
            parts: extents.iter().enumerate().map(part).collect(),
            extents,
            y_order: None,
        })
    }

    /// Reduces `axes`, each named once; negative ones count from the end.
    pub fn reduce(mut self, axes: &[isize]) -> Result<Self> {
        for axis in resolve_axes(axes, self.extents.len(), "axis")? {
            self.parts[axis].reduced = true;
        }
        Ok(self)
    }

    /// Reduces all axes from `first` on.
    pub fn reduce_from(self, first: isize) -> Result<Self> {
        if self.extents.is_empty() {
            bail!(Shape, "shape", "a scalar has no axis to normalize over");
        }
        let first = resolve_axis(first, self.extents.len(), "axis")?;
        let axes: Vec<isize> = (first as isize..self.extents.len() as isize).collect();
        self.reduce(&axes)
    }

    /// Lets the axes that are reduced, or those that are kept, index the weight.
    pub fn weigh(mut self, reduced: bool) -> Self {
        for part in &mut self.parts {
            part.weighted = part.reduced == reduced;
        }
        self
    }

    /// Axes of the caller's choice index the weight.
    pub fn weigh_axes(&mut self, axes: &[isize]) -> Result<()> {
        let axes = resolve_axes(axes, self.extents.len(), "weight_axes")?;
        for part in &mut self.parts {
            part.weighted = axes.contains(&part.axis);
        }
        Ok(())
    }

    /// The axes of the operation. Records are dense over the kept ones, in the order of the shape; the weight is over
    /// those that index it.
    pub fn axes(&self, strides: &Strides) -> Result<Vec<Axis>> {
        let dense = dense_strides(&self.extents, "shape")?;
        let x = match &strides.x {
            Some(given) => self.given(given, "input_strides")?,
            None => dense.clone(),
        };
        let y = match (&strides.y, &self.y_order) {
            (Some(given), _) => {
                let given = self.given(given, "output_strides")?;
                self.check_distinct(&given)?;
                given
            }
            (None, Some(order)) => self.ordered(order)?,
            (None, None) => dense,
        };
        let over = |counts: &dyn Fn(&Part) -> bool, argument| {
            let extents: Vec<_> = (self.parts.iter())
                .map(|part| if counts(part) { part.extent } else { 1 })
                .collect();
            dense_strides(&extents, argument)
        };
        let weight = over(&|part| part.weighted, "weight")?;
        let record = over(&|part| !part.reduced, "shape")?;
        let mut axes = Vec::with_capacity(self.parts.len());
        for (i, part) in self.parts.iter().enumerate() {
            // The second part of a split axis lies inside the first.
            let inner = self.parts[i + 1..].iter().filter(|other| other.axis == part.axis);
            let inner: u32 = inner.map(|other| other.extent.max(1)).product();
            axes.push(Axis {
                extent: part.extent,
                reduced: part.reduced,
                x: geometry::stride(x[part.axis], inner, "input_strides")?,
                y: geometry::stride(y[part.axis], inner, "output_strides")?,
                weight: if part.weighted { weight[i] } else { 0 },
                record: if part.reduced { 0 } else { record[i] },
            });
        }
        Ok(axes)
    }

    fn given(&self, strides: &[usize], argument: &'static str) -> Result<Vec<u32>> {
        if strides.len() != self.extents.len() {
            bail!(
                Shape,
                argument,
                "there are {}, the shape has {} axes",
                strides.len(),
                self.extents.len()
            );
        }
        let narrow = |&stride: &usize| match u32::try_from(stride) {
            Ok(stride) => Ok(stride),
            Err(_) => bail!(Overflow, argument, "{stride} does not fit 32 bits"),
        };
        strides.iter().map(narrow).collect()
    }

    /// Refuses strides by which two elements of y could share a place: each axis must step over all that lies inside.
    fn check_distinct(&self, strides: &[u32]) -> Result<()> {
        if self.extents.contains(&0) {
            return Ok(());
        }
        let mut axes: Vec<_> = (strides.iter().zip(&self.extents))
            .filter(|(_, extent)| **extent > 1)
            .map(|(&stride, &extent)| (u64::from(stride), u64::from(extent)))
            .collect();
        axes.sort();
        let mut inside = 1u64;
        for (stride, extent) in axes {
            if stride < inside {
                bail!(
                    Shape,
                    "output_strides",
                    "a stride of {stride} does not step over the {inside} elements inside of it: y would overlap itself"
                );
            }
            inside += stride * (extent - 1);
        }
        Ok(())
    }

    /// The strides of a dense tensor whose axes lie in this order.
    fn ordered(&self, order: &[usize]) -> Result<Vec<u32>> {
        let extents: Vec<_> = order.iter().map(|&axis| self.extents[axis]).collect();
        let mut strides = vec![0; order.len()];
        for (stride, &axis) in dense_strides(&extents, "shape")?.into_iter().zip(order) {
            strides[axis] = stride;
        }
        Ok(strides)
    }
}

/// Where the channel axis lies in x, and in y if elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Layouts {
    pub x: Layout,
    pub y: Option<Layout>,
}

/// The setters over [`Layouts`] of builders that have a channel axis.
macro_rules! layout_settings {
    ($builder:ident, $($layouts:ident).+) => {
        impl $builder {
            /// Where the channel axis lies; the shape is always in memory order.
            pub fn layout(mut self, layout: $crate::Layout) -> Self {
                self.$($layouts).+.x = layout;
                self
            }

            /// Where the channel axis lies in y, if not where it lies in x: y is then dense in that layout.
            pub fn output_layout(mut self, layout: $crate::Layout) -> Self {
                self.$($layouts).+.y = Some(layout);
                self
            }
        }
    };
}
pub(crate) use layout_settings;

/// A shape of N, C and spatial axes, in memory order, and which axis is the channel.
pub(crate) struct Channels {
    extents: Vec<u32>,
    axis: usize,
    output: Layout,
}

impl Channels {
    pub fn new(shape: &[usize], layouts: Layouts) -> Result<Self> {
        if shape.len() < 2 {
            bail!(
                Shape,
                "shape",
                "rank {} has no channel axis, at least N and C are needed",
                shape.len()
            );
        }
        let extents = geometry::extents(shape, "shape")?;
        let axis = match layouts.x {
            Layout::ChannelsFirst => 1,
            Layout::ChannelsLast => extents.len() - 1,
        };
        Ok(Self {
            extents,
            axis,
            output: layouts.y.unwrap_or(layouts.x),
        })
    }

    pub fn count(&self) -> u32 {
        self.extents[self.axis]
    }

    /// Number of samples: the extent of N.
    pub fn samples(&self) -> u32 {
        self.extents[0]
    }

    /// The channel kept and indexing the weight, the spatial axes reduced, the samples reduced or kept.
    pub fn tensor(&self, reduce_samples: bool) -> Tensor {
        let part = |(i, &extent): (usize, &u32)| Part {
            axis: i,
            extent,
            reduced: if i == 0 { reduce_samples } else { i != self.axis },
            weighted: i == self.axis,
        };
        self.tensor_of(self.extents.iter().enumerate().map(part).collect())
    }

    /// The groups of channels kept, the channels of a group and the spatial axes reduced. The groups index the weight,
    /// and with `per_channel` the channels of a group do too.
    pub fn grouped(&self, groups: u32, per_channel: bool) -> Tensor {
        let mut parts = self.tensor(false).parts;
        let channels = &mut parts[self.axis];
        let inside = Part {
            axis: self.axis,
            extent: channels.extent / groups,
            reduced: true,
            weighted: per_channel,
        };
        channels.extent = groups;
        parts.insert(self.axis + 1, inside);
        self.tensor_of(parts)
    }

    /// The channel axis reduced and indexing the weight, all others kept.
    pub fn across(&self) -> Tensor {
        let mut tensor = self.tensor(false);
        for part in &mut tensor.parts {
            part.reduced = part.axis == self.axis;
        }
        tensor
    }

    fn tensor_of(&self, parts: Vec<Part>) -> Tensor {
        let others = (1..self.extents.len()).filter(|&axis| axis != self.axis);
        let order = match self.output {
            Layout::ChannelsFirst => [0, self.axis].into_iter().chain(others).collect(),
            Layout::ChannelsLast => [0].into_iter().chain(others).chain([self.axis]).collect(),
        };
        Tensor {
            extents: self.extents.clone(),
            parts,
            y_order: Some(order),
        }
    }
}

/// The axis that `axis` names among `rank`: negative ones count from the end.
fn resolve_axis(axis: isize, rank: usize, argument: &'static str) -> Result<usize> {
    let resolved = if axis < 0 {
        axis.saturating_add_unsigned(rank)
    } else {
        axis
    };
    match usize::try_from(resolved) {
        Ok(resolved) if resolved < rank => Ok(resolved),
        _ => bail!(Shape, argument, "{axis} is out of range for rank {rank}"),
    }
}

fn resolve_axes(axes: &[isize], rank: usize, argument: &'static str) -> Result<Vec<usize>> {
    let mut resolved = Vec::with_capacity(axes.len());
    for &axis in axes {
        let position = resolve_axis(axis, rank, argument)?;
        if resolved.contains(&position) {
            bail!(Shape, argument, "{axis} is named twice");
        }
        resolved.push(position);
    }
    Ok(resolved)
}
