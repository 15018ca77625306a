//! Gradients: sums over segments and over what each weight multiplies, and dx.
//!
//! Sums of dy and of dy x_hat are taken over **cells**, the elements that have both a record and a weight in common, where
//! there are many in each: dweight and dbias, and what dx needs of its segment, are sums of those. Else they are taken twice:
//! over segments, of dy weight, and over what each weight multiplies.

mod resident;
mod sums;

use sums::Partials;

use super::places::{Place, Records, Region};
use super::push::parted;
use super::split::Spread;
use super::{Geometries, Planner};
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry};
use crate::plan::choose::{MAX_PARTS, prefers_columns};
use crate::plan::layout::{Layout, Offsets, Traversal, Weights, has_columns, run_as_columns};
use crate::plan::pieces::Piece;
use crate::plan::{Operand, RECORD_BYTES, Role, SUMS_BYTES};
use crate::shader::{DxPlace, Header, Kernel, Params, Slot};
use crate::spec::{Gradients, Source, Stage, Statistic};
use crate::tuning::{MAX_TRIPS, Variant};

/// The fewest elements of a cell that are worth sums of their own: those are 16 bytes.
const CELL_ELEMENTS: u64 = 16;

/// The variants that hold segments in registers.
const HELD: [Variant; 2] = [Variant::Subgroup, Variant::Workgroup];

/// A piece with what the backward pass binds of it.
pub(super) struct Part<'p> {
    pub piece: &'p Piece,
    pub geometries: Geometries,
    x: Operand,
    dy: Operand,
    dx: Option<Operand>,
    pub offsets: Offsets,
}

/// What one block leaves to the next.
#[derive(Default)]
struct Progress {
    /// Partial sums, which serve one sum after the other.
    sums: Option<Region>,
    coefficients: Option<Region>,
    /// The weights before the pieces whose dweight and dbias have been made.
    weights: Vec<u32>,
}

impl Planner<'_> {
    /// All dispatches of the backward pass, or of one half of it.
    pub(super) fn backward(&mut self, wanted: Gradients, stage: Stage) -> Result<()> {
        self.stage_inputs()?;
        let operation = self.operation;
        let blocks = self.blocks()?;
        if let Statistic::Window(window) = operation.statistic {
            for piece in blocks.iter().flatten() {
                self.gradient_window(&self.gradient_part(piece, wanted)?, window)?;
            }
            return self.stage_outputs();
        }
        let records = self.records_of_backward(&blocks)?;
        let mut progress = Progress::default();
        if stage == Stage::Apply {
            let region = self.region_of(self.segments(), RECORD_BYTES);
            self.coefficients_of_sums(records, Place::Region(region))?;
            progress.coefficients = Some(region);
        }
        for block in &blocks {
            let parts: Vec<_> = block
                .iter()
                .map(|piece| self.gradient_part(piece, wanted))
                .collect::<Result<_>>()?;
            match stage {
                Stage::Whole => self.block_gradients(&parts, wanted, records, &mut progress)?,
                Stage::Statistics => self.block_sums(&parts, wanted, records, &mut progress)?,
                Stage::Apply => self.block_apply(&parts, records, progress.coefficients)?,
            }
        }
        self.stage_outputs()
    }

    /// dweight, dbias and sums where there are no elements: 0.
    pub(super) fn empty_backward(&mut self, wanted: Gradients, stage: Stage) -> Result<()> {
        let parameters = self.operation.weight_len > 0 && (wanted.dweight || wanted.dbias);
        let sums = stage == Stage::Statistics && self.segments() > 0;
        if !(parameters || sums) {
            return Ok(());
        }
        self.stage_inputs()?;
        let region = self.region(SUMS_BYTES);
        let operand = self.view(Place::Region(region))?;
        let none = |extent| {
            let axis = |extent, reduced| Axis {
                extent,
                reduced,
                x: 0,
                y: 0,
                weight: u32::from(!reduced),
                record: u32::from(!reduced),
            };
            let axes = vec![axis(extent, false), axis(0, true)];
            Partials { operand, axes }
        };
        if parameters {
            self.parameters(&none(self.operation.weight_len), 0, true, wanted)?;
        }
        if sums {
            let whole = Piece::whole(self.operation);
            self.segment_sums(&none(self.segments()), &whole, false, wanted.accumulate)?;
        }
        self.stage_outputs()
    }

    /// The records that x_hat is made with: the caller's, or what the statistics make of x.
    fn records_of_backward(&mut self, blocks: &[Vec<Piece>]) -> Result<Place> {
        let operation = self.operation;
        if operation.source == Source::Running {
            let region = self.region_of(self.segments(), RECORD_BYTES);
            self.given(region)?;
            return Ok(Place::Region(region));
        }
        if operation.statistics {
            return Ok(Place::View(Role::Statistics));
        }
        let records = Place::Region(self.region_of(self.segments(), RECORD_BYTES));
        let mut parts = None;
        for block in blocks {
            let block: Vec<_> = block
                .iter()
                .map(|piece| {
                    let geometries = Geometries::new(&piece.axes, false)?;
                    let variant = self.split_kind(&geometries.statistics);
                    let bindings = self.bindings(piece)?;
                    Ok(super::Part {
                        piece,
                        geometries,
                        bindings,
                        variant,
                    })
                })
                .collect::<Result<_>>()?;
            self.statistics(&block, Some(records), None, &mut parts)?;
        }
        Ok(records)
    }

    fn gradient_part<'p>(&self, piece: &'p Piece, wanted: Gradients) -> Result<Part<'p>> {
        let geometries = Geometries::new(&piece.axes, self.whole.has_affine)?;
        let (x, x_offset) = self.gradient_operand(Role::X, piece.reads.start..piece.reads.end);
        let (dy, dy_offset) = self.gradient_operand(Role::Dy, piece.writes());
        // dx lies as x does.
        let dx = wanted
            .dx
            .then(|| self.gradient_operand(Role::Dx, piece.reads.start..piece.reads.end));
        Ok(Part {
            piece,
            geometries,
            x,
            dy,
            dx: dx.map(|(operand, _)| operand),
            offsets: Offsets {
                x: x_offset,
                y: dy_offset,
                weight: self.parameter_offset(Role::Weight) + piece.weight,
                bias: match self.from_output {
                    true => self.parameter_offset(Role::Bias) + piece.weight,
                    false => 0,
                },
                dx: dx.map_or(0, |(_, offset)| offset),
            },
        })
    }

    /// What is bound of a view for some of its elements, and the elements before the first in the binding.
    fn gradient_operand(&self, role: Role, range: std::ops::Range<u64>) -> (Operand, u32) {
        let block = u64::from(self.traits.storage_alignment) / 4;
        let place = self.resolve(Place::View(role));
        let before = match place {
            Place::View(role) => u64::from(self.facts.offsets[role as usize]),
            Place::Region(_) => 0,
        };
        let (first, end) = (range.start + before, range.end + before);
        let start = first - first % block;
        let size = (end - start) * 4;
        let operand = match place {
            Place::View(role) => Operand::Caller {
                role,
                start: (start * 4) as i64,
                size,
            },
            Place::Region(region) => Operand::Workspace {
                offset: region.offset + start * 4,
                size,
            },
        };
        (operand, (first - start) as u32)
    }

    /// Elements before a parameter, or its gradient, in its binding.
    fn parameter_offset(&self, role: Role) -> u32 {
        match self.resolve(Place::View(role)) {
            Place::View(role) => self.facts.offsets[role as usize],
            Place::Region(_) => 0,
        }
    }

    /// The gradients of the pieces of a block.
    fn block_gradients(
        &mut self,
        block: &[Part<'_>],
        wanted: Gradients,
        records: Place,
        progress: &mut Progress,
    ) -> Result<()> {
        let operation = self.operation;
        let parameters = wanted.dweight || wanted.dbias;
        let given = operation.source == Source::Running;
        let cells = self.takes_cells(block);
        let variant = self.gradient_variant(block, parameters && cells, wanted)?;
        self.recipe.variant = self.recipe.variant.or(Some(variant));
        let held = HELD.contains(&variant);
        if held && self.holds_gradients(&block[0], variant, parameters) {
            let first = !parameters || first_time(&mut progress.weights, block[0].piece.weight);
            let wanted = Gradients {
                accumulate: wanted.accumulate || !first,
                ..wanted
            };
            return self.gradient_resident(&block[0], variant, wanted, records, &mut progress.sums);
        }
        let fused = matches!(variant, Variant::Lane | Variant::Column) || held;
        let needs_sums = wanted.dx && !given && !fused;

        let mut of_cells = None;
        if cells && (parameters || needs_sums) {
            of_cells = Some(self.cell_sums(block, records, progress)?);
        }
        if parameters {
            self.block_parameters(block, of_cells.as_ref(), wanted, records, progress)?;
        }
        if !wanted.dx {
            return Ok(());
        }
        if held {
            let only_dx = Gradients {
                dweight: false,
                dbias: false,
                ..wanted
            };
            return self.gradient_resident(&block[0], variant, only_dx, records, &mut progress.sums);
        }
        if fused {
            return self.gradient_lane(&block[0], variant, records);
        }
        let mut coefficients = None;
        if needs_sums {
            let segments = self.segments();
            let region = *(progress.coefficients).get_or_insert_with(|| self.region_of(segments, RECORD_BYTES));
            let place = Place::Region(region);
            let (partials, weigh) = self.sums_of_segments(block, of_cells, records, progress)?;
            self.coefficients(&partials, block[0].piece, weigh, records, place)?;
            coefficients = Some(place);
        }
        for part in block {
            self.gradient_apply(part, variant, records, coefficients)?;
        }
        Ok(())
    }

    /// Partial sums over the cells of a block.
    fn cell_sums(&mut self, block: &[Part<'_>], records: Place, progress: &mut Progress) -> Result<Partials> {
        let axes: Vec<_> = (block[0].piece.axes.iter()).map(|axis| self.of_cell(axis)).collect();
        self.sums(block, &axes, true, records, &mut progress.sums)
    }

    /// Partial sums that those of segments are made of, and whether they are still to be multiplied with the weight.
    fn sums_of_segments(
        &mut self,
        block: &[Part<'_>],
        of_cells: Option<Partials>,
        records: Place,
        progress: &mut Progress,
    ) -> Result<(Partials, bool)> {
        match of_cells {
            Some(partials) => Ok((partials, true)),
            None => {
                let axes = block[0].piece.axes.clone();
                Ok((self.sums(block, &axes, false, records, &mut progress.sums)?, false))
            }
        }
    }

    /// dweight and dbias of a block, of the sums over its cells if there are any.
    fn block_parameters(
        &mut self,
        block: &[Part<'_>],
        of_cells: Option<&Partials>,
        wanted: Gradients,
        records: Place,
        progress: &mut Progress,
    ) -> Result<()> {
        if let Some(partials) = of_cells {
            let weight = block[0].piece.weight;
            return self.parameters(partials, weight, first_time(&mut progress.weights, weight), wanted);
        }
        for part in block {
            let axes: Vec<_> = (part.piece.axes.iter()).map(|axis| self.of_weight(axis)).collect();
            let partials = self.sums(std::slice::from_ref(part), &axes, true, records, &mut progress.sums)?;
            let weight = part.piece.weight;
            self.parameters(&partials, weight, first_time(&mut progress.weights, weight), wanted)?;
        }
        Ok(())
    }

    /// The first half: the sums over the segments of a block, for the caller, and dweight and dbias.
    fn block_sums(
        &mut self,
        block: &[Part<'_>],
        wanted: Gradients,
        records: Place,
        progress: &mut Progress,
    ) -> Result<()> {
        let of_cells = match self.takes_cells(block) {
            true => Some(self.cell_sums(block, records, progress)?),
            false => None,
        };
        if wanted.dweight || wanted.dbias {
            self.block_parameters(block, of_cells.as_ref(), wanted, records, progress)?;
        }
        let (partials, weigh) = self.sums_of_segments(block, of_cells, records, progress)?;
        self.segment_sums(&partials, block[0].piece, weigh, wanted.accumulate)
    }

    /// The second half: dx of a block from the coefficients that the sums of all shares make.
    fn block_apply(&mut self, block: &[Part<'_>], records: Place, coefficients: Option<Region>) -> Result<()> {
        for part in block {
            let variant = self.split_kind(&part.geometries.applied);
            self.recipe.variant = self.recipe.variant.or(Some(variant));
            self.gradient_apply(part, variant, records, coefficients.map(Place::Region))?;
        }
        Ok(())
    }

    /// True if sums are taken over cells: where those are segments anyway, or hold enough elements. Not so where nothing may
    /// depend on the number of segments, as the number of cells does.
    fn takes_cells(&self, block: &[Part<'_>]) -> bool {
        let axes = &block[0].piece.axes;
        let extent = |counts: &dyn Fn(&Axis) -> bool| -> u64 {
            let counted = axes.iter().filter(|axis| counts(axis));
            counted.map(|axis| u64::from(axis.extent)).product()
        };
        let elements = extent(&|axis| self.of_cell(axis).reduced);
        let cells = extent(&|axis| !self.of_cell(axis).reduced);
        let per_weight = extent(&|axis| !axis.reduced && axis.weight == 0);
        let per_segment = extent(&|axis| axis.reduced && axis.weight > 0);
        // One invocation adds those of a weight, or of a segment, and each may come in spans.
        let few = per_weight.max(per_segment) <= MAX_TRIPS / 64;
        let fits = cells * SUMS_BYTES <= self.traits.binding_size;
        let worth = per_segment == 1 || (block.len() == 1 && elements >= CELL_ELEMENTS);
        !self.operation.batch_invariant && few && fits && worth
    }

    /// The variant that makes dx.
    fn gradient_variant(&self, block: &[Part<'_>], summed: bool, wanted: Gradients) -> Result<Variant> {
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
        let holds = !self.traits.software || self.tuning.resident_row_units > 0 && enough;
        if let (Some(variant), true, false) = (held, holds, summed) {
            return Ok(variant);
        }
        let geometry = &self.whole.applied;
        let across = prefers_columns(geometry, self.tuning);
        let segments = if operation.batch_invariant {
            u32::MAX
        } else {
            geometry.segments
        };
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
    fn gradient_candidates(&self, part: &Part<'_>, pieces: usize, wanted: Gradients) -> Vec<Variant> {
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
    fn of_cell(&self, axis: &Axis) -> Axis {
        Axis {
            reduced: axis.reduced && axis.weight == 0,
            ..self.of_weight(axis)
        }
    }

    /// The axis among those of what each weight multiplies; in the place of weights the records that x_hat is made with: of
    /// y those of its weight.
    fn of_weight(&self, axis: &Axis) -> Axis {
        Axis {
            reduced: axis.weight == 0,
            weight: if self.from_output { axis.weight } else { axis.record },
            record: axis.weight,
            ..*axis
        }
    }

    /// The walk of kernels that write dx.
    fn gradient_layout(&self, part: &Part<'_>, geometry: &Geometry, traversal: Traversal) -> Option<Layout> {
        self.gradient_layout_in(part, geometry, traversal, self.widest_gradient_unit())
    }

    /// The same in units of at most so many elements.
    fn gradient_layout_in(
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
    fn widest_gradient_unit(&self) -> u32 {
        match self.operation.statistic {
            Statistic::Norm { p } if p.is_infinite() => 1,
            _ => self.tuning.widest_unit,
        }
    }

    /// Invocations that share a span along a row: one where there are rows enough.
    fn row_lanes(&self, layout: &Layout) -> u32 {
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

    /// dx of a piece that holds whole segments, one invocation for each (or for four).
    fn gradient_lane(&mut self, part: &Part<'_>, variant: Variant, records: Place) -> Result<()> {
        let traversal = if variant == Variant::Column {
            Traversal::Columns
        } else {
            Traversal::SharedRows
        };
        let Some(layout) = self.gradient_layout(part, &part.geometries.applied, traversal) else {
            bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
        };
        let spread = self.spread_over(&layout, (1, 1), 1);
        let (mut header, params, workgroups) = self.gradient_step(Kernel::GradientLane, &layout, spread);
        let one_dimension = workgroups <= u64::from(self.traits.workgroups_per_dimension);
        header.full_groups = one_dimension && layout.groups.is_multiple_of(header.workgroup);
        self.push_dx(part, header, params, workgroups, (records, None), Vec::new())
    }

    /// dx of a piece from the coefficients of its segments; none where statistics are given.
    fn gradient_apply(
        &mut self,
        part: &Part<'_>,
        variant: Variant,
        records: Place,
        coefficients: Option<Place>,
    ) -> Result<()> {
        let geometry = &part.geometries.applied;
        let across = match variant {
            Variant::ColumnSplit if has_columns(geometry) => Some(geometry.clone()),
            Variant::ColumnSplit => run_as_columns(geometry),
            _ => None,
        };
        let layout = match &across {
            Some(geometry) => self.gradient_layout(part, geometry, Traversal::Columns),
            None => self.gradient_layout(part, geometry, Traversal::SharedRows),
        };
        let Some(layout) = layout else {
            bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
        };
        let lanes = match &across {
            Some(_) => self.column_split_lanes(&layout),
            None => self.row_lanes(&layout),
        };
        let spread = self.spread(&layout, across.is_some(), lanes, MAX_PARTS);
        let (mut header, params, workgroups) = self.gradient_step(Kernel::GradientApply, &layout, spread);
        header.given = coefficients.is_none();
        self.push_dx(part, header, params, workgroups, (records, coefficients), Vec::new())
    }

    pub(super) fn gradient_step(&self, kernel: Kernel, layout: &Layout, spread: Spread) -> (Header, Params, u64) {
        let mut header = self.header(kernel, spread.workgroup);
        header.from_output = self.from_output;
        let (header, mut params, workgroups) = self.spread_header(header, layout, spread);
        if let Statistic::Norm { p } = self.operation.statistic {
            params.power = parted(f64::from(p) - 1.0);
        }
        (header, params, workgroups)
    }

    fn push_dx(
        &mut self,
        part: &Part<'_>,
        mut header: Header,
        mut params: Params,
        workgroups: u64,
        (records, coefficients): (Place, Option<Place>),
        others: Vec<(Slot, Operand)>,
    ) -> Result<()> {
        header.dx_place = match self.facts.dx_over {
            Some(Role::X) => DxPlace::OverX,
            Some(Role::Dy) => DxPlace::OverDy,
            _ => DxPlace::Apart,
        };
        let of = |slot| move |place| Records { place, slot };
        let items: Vec<_> = [of(Slot::Records)(records)]
            .into_iter()
            .chain(coefficients.map(of(Slot::Coefficients)))
            .collect();
        let (offset, mut operands) = self.records(&items, &part.piece.records())?;
        operands.extend(others);
        params.record_offset = offset;
        self.push_gradient(part, header, params, workgroups, operands)
    }

    pub(super) fn push_gradient(
        &mut self,
        part: &Part<'_>,
        header: Header,
        params: Params,
        workgroups: u64,
        mut operands: Vec<(Slot, Operand)>,
    ) -> Result<()> {
        operands.extend([(Slot::X, part.x), (Slot::Dy, part.dy)]);
        operands.extend(part.dx.map(|dx| (Slot::Dx, dx)));
        self.push(header, params, workgroups, &operands)
    }
}

/// True at the first call with these weights.
fn first_time(summed: &mut Vec<u32>, weight: u32) -> bool {
    let first = !summed.contains(&weight);
    if first {
        summed.push(weight);
    }
    first
}
