//! Which sums are taken, how segments are walked over, and which variant makes dx.

use super::{HELD, Part};
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry};
use crate::plan::SUMS_BYTES;
use crate::plan::choose::{counted_segments, prefers_columns};
use crate::plan::layout::{Layout, Traversal, Weights, has_columns, run_as_columns};
use crate::plan::steps::Planner;
use crate::spec::{Gradients, Source, Statistic};
use crate::tuning::{MAX_TRIPS, Variant};

/// The fewest elements of a cell that are worth sums of their own: those are 16 bytes.
const CELL_ELEMENTS: u64 = 16;

/// Sums of a weight, or of a segment, that one invocation may have to add, each of which may come in spans.
const MOST_SUMS: u64 = MAX_TRIPS / 64;

/// True if so few segments have a weight in common that one invocation may add their sums.
pub(super) fn has_few_segments(axes: &[Axis]) -> bool {
    extent(axes, |axis| !axis.reduced && axis.weight == 0) <= MOST_SUMS
}

/// The product of the extents of those axes.
fn extent(axes: &[Axis], counts: impl Fn(&Axis) -> bool) -> u64 {
    let counted = axes.iter().filter(|axis| counts(axis));
    counted.map(|axis| u64::from(axis.extent)).product()
}

impl Planner<'_> {
    /// True if sums are taken over cells: where those are segments anyway, or hold enough elements. Not so where nothing may
    /// depend on the number of segments, as the number of cells does.
    pub(super) fn takes_cells(&self, block: &[Part<'_>]) -> bool {
        let axes = &block[0].piece.axes;
        let elements = extent(axes, |axis| self.of_cell(axis).reduced);
        let cells = extent(axes, |axis| !self.of_cell(axis).reduced);
        let per_segment = extent(axes, |axis| axis.reduced && axis.weight > 0);
        let few = has_few_segments(axes) && per_segment <= MOST_SUMS;
        let fits = cells * SUMS_BYTES <= self.traits.binding_size;
        let worth = per_segment == 1 || (block.len() == 1 && elements >= CELL_ELEMENTS);
        !self.operation.batch_invariant && few && fits && worth
    }

    /// The variant that makes dx.
    pub(super) fn gradient_variant(&self, block: &[Part<'_>], summed: bool, wanted: Gradients) -> Result<Variant> {
        let (operation, part) = (self.operation, &block[0]);
        let possible = self.gradient_candidates(part, block.len(), wanted);
        // A forced variant may not run the last, smaller block.
        let first = self.recipe.variant.is_none();
        if let Some(variant) = operation.variant.filter(|variant| first || possible.contains(variant)) {
            if !possible.contains(&variant) {
                let names: Vec<_> = possible.into_iter().map(Variant::name).collect();
                bail!(
                    Variant,
                    "variant",
                    "{variant} cannot make the gradients of this geometry on this device, but {} can",
                    names.join(", ")
                );
            }
            return Ok(variant);
        }
        let held = HELD.into_iter().filter(|variant| possible.contains(variant));
        let parameters = wanted.dweight || wanted.dbias;
        // Best in one dispatch with what dweight and dbias are made of.
        let held = held.min_by_key(|&variant| !self.holds_gradients(part, variant, parameters));
        // Software adapters hold rows of which each of eight lanes has a unit; see the forward's resident rows.
        let enough = self.whole.applied.length >= 4 * self.traits.smallest_subgroup();
        let holds = !self.traits.software || self.tuning.resident_row_units.1 > 0 && enough;
        if let (Some(variant), true, false) = (held, holds, summed) {
            return Ok(variant);
        }
        // In one reading of x and dy; from sums that are there, in a second one.
        if let (Some(variant), false) = (held, self.traits.software)
            && self.holds_gradients(part, variant, parameters)
        {
            return Ok(variant);
        }
        let geometry = &self.whole.applied;
        let across = prefers_columns(geometry, self.tuning);
        let segments = counted_segments(operation, geometry);
        let fills = segments >= self.tuning.lane_segments || geometry.length <= self.tuning.lane_elements;
        let short = geometry.length <= self.tuning.column_elements;
        let alone = if across { Variant::Column } else { Variant::Lane };
        // Sums that dweight and dbias are made of serve dx too.
        let fused = self.traits.software && !summed && if across { short } else { fills };
        if fused && possible.contains(&alone) {
            return Ok(alone);
        }
        Ok(self.split_kind(&part.geometries.applied))
    }

    /// The variants that can make dx of a piece, one of `pieces` of the same segments.
    pub(super) fn gradient_candidates(&self, part: &Part<'_>, pieces: usize, wanted: Gradients) -> Vec<Variant> {
        // The coefficients of what was renormalized are made apart.
        let whole = pieces == 1 && self.operation.source == Source::Input && self.operation.renorm().is_none();
        let bounded = |traversal| {
            let layout = self.gradient_layout(part, &part.geometries.applied, traversal);
            layout.is_some_and(|layout| layout.trips(layout.units, 1) <= MAX_TRIPS)
        };
        let mut variants = Vec::new();
        if whole && bounded(Traversal::SharedRows) {
            variants.push(Variant::Lane);
        }
        let held = HELD
            .into_iter()
            .filter(|&variant| self.holds_gradients(part, variant, false));
        variants.extend(held.filter(|_| whole && wanted.dx));
        variants.push(Variant::Split);
        if whole && bounded(Traversal::Columns) {
            variants.push(Variant::Column);
        }
        let geometry = &part.geometries.applied;
        if has_columns(geometry) || run_as_columns(geometry).is_some() {
            variants.push(Variant::ColumnSplit);
        }
        variants
    }

    /// The axis among those of cells: reduced where neither record nor weight change; records in the place of weights.
    pub(super) fn of_cell(&self, axis: &Axis) -> Axis {
        Axis {
            reduced: axis.reduced && axis.weight == 0,
            ..self.of_weight(axis)
        }
    }

    /// The axis among those of what each weight multiplies; in the place of weights the records that x_hat is made with: of
    /// y those of its weight, and channels where windows have none.
    pub(super) fn of_weight(&self, axis: &Axis) -> Axis {
        let windowed = matches!(self.operation.statistic, Statistic::Window(_));
        Axis {
            reduced: axis.weight == 0,
            weight: match windowed {
                true => u32::from(axis.reduced),
                false if self.from_output => axis.weight,
                false => axis.record,
            },
            record: axis.weight,
            ..*axis
        }
    }

    /// The walk of kernels that write dx.
    pub(super) fn gradient_layout(&self, part: &Part<'_>, geometry: &Geometry, traversal: Traversal) -> Option<Layout> {
        self.gradient_layout_in(part, geometry, traversal, self.widest_gradient_unit())
    }

    /// The same in units of at most so many elements.
    pub(super) fn gradient_layout_in(
        &self,
        part: &Part<'_>,
        geometry: &Geometry,
        traversal: Traversal,
        widest: u32,
    ) -> Option<Layout> {
        let weights = Weights::read_if(self.whole.has_affine);
        Layout::new(geometry, traversal, widest, weights, part.offsets)
    }

    /// The largest element of a segment is looked for element by element.
    pub(super) fn widest_gradient_unit(&self) -> u32 {
        match self.operation.statistic {
            Statistic::Norm { p } if p.is_infinite() => 1,
            Statistic::Window(_) => 1,
            _ => self.tuning.widest_unit,
        }
    }

    /// Invocations that share a span along a row: one where there are rows enough.
    pub(super) fn row_lanes(&self, layout: &Layout) -> u32 {
        let groups = if self.operation.batch_invariant {
            u32::MAX
        } else {
            layout.groups
        };
        match self.traits.software && groups >= self.tuning.lane_segments {
            true => 1,
            false => self.split_lanes(),
        }
    }
}
