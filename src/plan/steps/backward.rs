//! Gradients: sums over segments and over what each weight multiplies, and dx.
//!
//! Sums of dy and of dy x_hat are taken over **cells**, the elements that have both a record and a weight in common, where
//! there are many in each: dweight and dbias, and what dx needs of its segment, are sums of those. Else they are taken twice:
//! over segments, of dy weight, and over what each weight multiplies.

use super::places::{Place, Records, Region};
use super::push::parted;
use super::split::Spread;
use super::{Geometries, Planner};
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry, dense_strides, multiply};
use crate::plan::choose::{MAX_PARTS, SMALL_WORKGROUP, prefers_columns};
use crate::plan::layout::{Layout, Offsets, Traversal, Weights, has_columns, run_as_columns};
use crate::plan::pieces::{Piece, blocks};
use crate::plan::{Operand, RECORD_BYTES, Role};
use crate::shader::{DxPlace, Header, Kernel, Params, Slot};
use crate::spec::{Gradients, Source, Statistic};
use crate::tuning::{MAX_TRIPS, Variant};

/// Bytes of the sums of a span.
const SUMS_BYTES: u64 = 16;

/// The most spans that dweight and dbias are summed in, whatever the number of rows.
const MAX_SPANS: u32 = 256;

/// The fewest elements of a cell that are worth sums of their own: those are 16 bytes.
const CELL_ELEMENTS: u64 = 16;

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

/// Where partial sums lie: `[span][segment or cell or weight][column]`.
struct Partials {
    operand: Operand,
    /// The axes that number them, by their strides (`x`) in partial sums; and the spans.
    axes: Vec<Axis>,
}

impl Planner<'_> {
    /// All dispatches of the backward pass.
    pub(super) fn backward(&mut self, wanted: Gradients) -> Result<()> {
        self.stage_inputs()?;
        let operation = self.operation;
        let blocks = blocks(
            operation,
            self.facts,
            self.traits.binding_size,
            self.traits.storage_alignment,
        )?;
        if let Statistic::Window(window) = operation.statistic {
            for piece in blocks.iter().flatten() {
                self.gradient_window(&self.gradient_part(piece, wanted)?, window)?;
            }
            return self.stage_outputs();
        }
        let records = self.records_of_backward(&blocks)?;
        let mut progress = Progress::default();
        for block in &blocks {
            let parts: Vec<_> = block
                .iter()
                .map(|piece| self.gradient_part(piece, wanted))
                .collect::<Result<_>>()?;
            self.block_gradients(&parts, wanted, records, &mut progress)?;
        }
        self.stage_outputs()
    }

    /// dweight and dbias where there are no elements: 0.
    pub(super) fn empty_backward(&mut self, wanted: Gradients) -> Result<()> {
        if self.operation.weight_len == 0 || !(wanted.dweight || wanted.dbias) {
            return Ok(());
        }
        self.stage_inputs()?;
        let region = self.region(SUMS_BYTES);
        let axis = |extent, reduced| Axis {
            extent,
            reduced,
            x: 0,
            y: 0,
            weight: u32::from(!reduced),
            record: 0,
        };
        let partials = Partials {
            operand: self.view(Place::Region(region))?,
            axes: vec![axis(self.operation.weight_len, false), axis(0, true)],
        };
        self.parameters(&partials, 0, true, wanted)?;
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
                bias: 0,
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
        let variant = self.gradient_variant(block, parameters && cells)?;
        self.recipe.variant = self.recipe.variant.or(Some(variant));
        let fused = matches!(variant, Variant::Lane | Variant::Column);
        let needs_sums = wanted.dx && !given && !fused;

        let mut of_cells = None;
        if cells && (parameters || needs_sums) {
            let axes: Vec<_> = block[0].piece.axes.iter().map(of_cell).collect();
            of_cells = Some(self.sums(block, &axes, true, records, &mut progress.sums)?);
        }
        if parameters {
            match &of_cells {
                Some(partials) => {
                    let weight = block[0].piece.weight;
                    self.parameters(partials, weight, first_time(&mut progress.weights, weight), wanted)?;
                }
                None => {
                    for part in block {
                        let axes: Vec<_> = part.piece.axes.iter().map(of_weight).collect();
                        let partials =
                            self.sums(std::slice::from_ref(part), &axes, true, records, &mut progress.sums)?;
                        let weight = part.piece.weight;
                        self.parameters(&partials, weight, first_time(&mut progress.weights, weight), wanted)?;
                    }
                }
            }
        }
        if !wanted.dx {
            return Ok(());
        }
        if fused {
            return self.gradient_lane(&block[0], variant, records);
        }
        let mut coefficients = None;
        if needs_sums {
            let segments = self.segments();
            let region = *(progress.coefficients).get_or_insert_with(|| self.region_of(segments, RECORD_BYTES));
            let place = Place::Region(region);
            match of_cells {
                Some(partials) => self.coefficients(&partials, block[0].piece, true, records, place)?,
                None => {
                    let axes = block[0].piece.axes.clone();
                    let partials = self.sums(block, &axes, false, records, &mut progress.sums)?;
                    self.coefficients(&partials, block[0].piece, false, records, place)?;
                }
            }
            coefficients = Some(place);
        }
        for part in block {
            self.gradient_apply(part, variant, records, coefficients)?;
        }
        Ok(())
    }

    /// True if sums are taken over cells: where those are segments anyway, or hold enough elements.
    fn takes_cells(&self, block: &[Part<'_>]) -> bool {
        let axes = &block[0].piece.axes;
        let constant = axes
            .iter()
            .all(|axis| !axis.reduced || axis.weight == 0 || axis.extent == 1);
        let elements: u64 = axes
            .iter()
            .filter(|axis| of_cell(axis).reduced)
            .map(|axis| u64::from(axis.extent))
            .product();
        let cells: u64 = axes
            .iter()
            .filter(|axis| !of_cell(axis).reduced)
            .map(|axis| u64::from(axis.extent))
            .product();
        // A weight, or a segment, is finished by one invocation.
        let per_weight = axes
            .iter()
            .filter(|axis| !axis.reduced && axis.weight == 0)
            .map(|axis| u64::from(axis.extent));
        let fits = cells * SUMS_BYTES <= self.traits.binding_size && per_weight.product::<u64>() <= MAX_TRIPS / 64;
        let worth = constant || (block.len() == 1 && elements >= CELL_ELEMENTS);
        fits && worth
    }

    /// The variant that makes dx.
    fn gradient_variant(&self, block: &[Part<'_>], summed: bool) -> Result<Variant> {
        let (operation, part) = (self.operation, &block[0]);
        let possible = self.gradient_candidates(part, block.len());
        if let Some(variant) = operation.variant {
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
    fn gradient_candidates(&self, part: &Part<'_>, pieces: usize) -> Vec<Variant> {
        let whole = pieces == 1 && self.operation.source == Source::Input;
        let bounded = |traversal| {
            let layout = self.gradient_layout(part, &part.geometries.applied, traversal);
            layout.is_some_and(|layout| layout.trips(layout.units, 1) <= MAX_TRIPS)
        };
        let mut variants = Vec::new();
        if whole && bounded(Traversal::SharedRows) {
            variants.push(Variant::Lane);
        }
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

    /// The walk of kernels that write dx.
    fn gradient_layout(&self, part: &Part<'_>, geometry: &Geometry, traversal: Traversal) -> Option<Layout> {
        let weights = Weights::read_if(self.whole.has_affine);
        Layout::new(geometry, traversal, self.widest_gradient_unit(), weights, part.offsets)
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

    /// Partial sums over the reduced ones of `axes`, which are those of the pieces but for what they number.
    fn sums(
        &mut self,
        block: &[Part<'_>],
        axes: &[Axis],
        by_weight: bool,
        records: Place,
        region: &mut Option<Region>,
    ) -> Result<Partials> {
        // Numbered within the block: [kept axes], row-major.
        let extents: Vec<_> = axes
            .iter()
            .map(|axis| if axis.reduced { 1 } else { axis.extent })
            .collect();
        let numbers = dense_strides(&extents, "shape")?;
        let geometries: Vec<_> = (block.iter())
            .map(|part| self.numbered(&part.piece.axes, axes, &numbers, by_weight))
            .collect::<Result<_>>()?;
        let columns = self.common_run(&geometries).filter(|_| by_weight);
        let mut walks = Vec::with_capacity(block.len());
        let mut spans = 0;
        for (part, geometry) in block.iter().zip(geometries) {
            let geometry = match columns.and(run_as_columns(&geometry)) {
                Some(mut parts) => {
                    if let Some((column, kept)) = parts.kept.split_last_mut() {
                        column.record = 1;
                        kept.iter_mut().for_each(|digit| digit.record *= geometry.run());
                    }
                    parts
                }
                None => geometry,
            };
            let weights = match by_weight {
                true => Weights::Records,
                false => Weights::read_if(self.whole.has_affine),
            };
            let (offset, operands) = self.records(
                &[Records {
                    place: records,
                    slot: Slot::Records,
                }],
                &part.piece.records(),
            )?;
            let mut offsets = part.offsets;
            if by_weight {
                offsets.weight = offset;
            }
            let traversal = if has_columns(&geometry) {
                Traversal::Columns
            } else {
                Traversal::SharedRows
            };
            let Some(layout) = Layout::new(&geometry, traversal, self.widest_gradient_unit(), weights, offsets) else {
                bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
            };
            let across = traversal == Traversal::Columns;
            let lanes = if across { 1 } else { self.row_lanes(&layout) };
            let bytes = extents.iter().map(|&extent| u64::from(extent)).product::<u64>()
                * u64::from(columns.unwrap_or(1))
                * SUMS_BYTES;
            let most = (self.traits.binding_size / bytes.max(1) / block.len() as u64).clamp(1, u64::from(MAX_SPANS));
            let spread = self.spread(&layout, across, lanes, most as u32);
            walks.push((part, layout, spread, spans, offset, operands));
            spans += spread.spans;
        }
        let columns = columns.unwrap_or(1);
        // Segments are numbered as records are.
        let count = match by_weight {
            true => extents.iter().product(),
            false => block[0].piece.records().end as u32 - block[0].piece.record,
        };
        let stride = multiply(count, columns, "shape")?;
        let size = u64::from(multiply(spans, stride, "shape")?) * SUMS_BYTES;
        let region = match *region {
            Some(before) if before.size >= size => Region { size, ..before },
            _ => *region.insert(self.region(size)),
        };
        let operand = self.view(Place::Region(region))?;
        for (part, layout, spread, first_span, offset, mut operands) in walks {
            let (mut header, mut params, workgroups) = self.gradient_step(Kernel::GradientSums, &layout, spread);
            header.by_weight = by_weight;
            header.weight &= !by_weight;
            params.record_offset = if by_weight { 0 } else { offset };
            params.parts_stride = stride;
            params.first_span = first_span;
            operands.push((Slot::Sums, operand));
            self.push_gradient(part, header, params, workgroups, operands)?;
        }
        let mut numbered: Vec<_> = (block[0].piece.axes.iter().zip(axes).zip(&numbers))
            .filter(|((_, axis), _)| !axis.reduced)
            .map(|((own, axis), &number)| Axis {
                x: columns * if by_weight { number } else { axis.record },
                ..*own
            })
            .collect();
        let summand = |extent, x| Axis {
            extent,
            reduced: true,
            x,
            y: x,
            weight: 0,
            record: 0,
        };
        numbered.push(summand(spans, stride));
        numbered.push(summand(columns, 1));
        Ok(Partials {
            operand,
            axes: numbered,
        })
    }

    /// The geometry of a piece's share of `axes`, numbered as sums are.
    fn numbered(&self, piece: &[Axis], axes: &[Axis], numbers: &[u32], by_weight: bool) -> Result<Geometry> {
        let number = |axis: &Axis, number: u32| match (axis.reduced, by_weight) {
            (true, _) => 0,
            (false, true) => number,
            (false, false) => axis.record,
        };
        let axes: Vec<_> = (piece.iter().zip(axes).zip(numbers))
            .map(|((own, axis), &n)| Axis {
                extent: own.extent,
                record: number(axis, n),
                ..*axis
            })
            .collect();
        match by_weight || self.whole.has_affine {
            true => Geometry::new(&axes),
            false => Geometry::for_statistics(&axes),
        }
    }

    /// The run whose elements are summed apart, as columns, if all of the geometries have the same one and it is short.
    fn common_run(&self, geometries: &[Geometry]) -> Option<u32> {
        let run = |geometry: &Geometry| {
            let short = !has_columns(geometry) && prefers_columns(geometry, self.tuning);
            short.then(|| geometry.run())
        };
        let first = run(&geometries[0])?;
        geometries
            .iter()
            .all(|geometry| run(geometry) == Some(first))
            .then_some(first)
    }

    /// A step over partial sums, one invocation for each of what `axes` number (as records).
    fn gather_step(&self, kernel: Kernel, axes: &[Axis], offsets: Offsets) -> Result<(Header, Params, u64)> {
        let axes: Vec<_> = axes.iter().map(|&axis| Axis { y: axis.x, ..axis }).collect();
        let geometry = Geometry::new(&axes)?;
        let mut header = self.header(kernel, SMALL_WORKGROUP);
        let mut params = self.params();
        // Weights are read element by element.
        let Some(layout) = Layout::new(&geometry, Traversal::SharedRows, 1, Weights::Records, offsets) else {
            bail!(Variant, "variant", "there is nothing to sum");
        };
        if u64::from(layout.units) > MAX_TRIPS / 3 {
            bail!(
                Limit,
                "shape",
                "{} sums are more than {}, which one invocation may add",
                layout.units,
                MAX_TRIPS / 3
            );
        }
        layout.header(&mut header);
        header.runs = !layout.is_one_run();
        layout.params(&mut params);
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(SMALL_WORKGROUP));
        Ok((header, params, workgroups))
    }

    /// dweight and dbias from partial sums of pieces that begin at some weight.
    fn parameters(&mut self, partials: &Partials, weight: u32, first: bool, wanted: Gradients) -> Result<()> {
        let axes: Vec<_> = (partials.axes.iter())
            .map(|axis| Axis {
                reduced: axis.weight == 0,
                record: axis.weight,
                weight: 0,
                ..*axis
            })
            .collect();
        let (mut header, mut params, workgroups) =
            self.gather_step(Kernel::GradientParameters, &axes, Offsets::default())?;
        header.weight = false;
        (header.dweight, header.dbias) = (wanted.dweight, wanted.dbias);
        params.dweight_offset = self.parameter_offset(Role::Dweight) + weight;
        params.dbias_offset = self.parameter_offset(Role::Dbias) + weight;
        params.accumulate = u32::from(wanted.accumulate || !first);
        self.push(header, params, workgroups, &[(Slot::SumsRead, partials.operand)])
    }

    /// The coefficients of the segments of a block from their partial sums, or from those of cells (`weigh`), which do not
    /// have the weight in them yet.
    fn coefficients(
        &mut self,
        partials: &Partials,
        piece: &Piece,
        weigh: bool,
        records: Place,
        coefficients: Place,
    ) -> Result<()> {
        let weigh = weigh && self.operation.weight;
        let axes: Vec<_> = (partials.axes.iter())
            .map(|axis| Axis {
                weight: if weigh { axis.weight } else { 0 },
                record: if axis.reduced { 0 } else { axis.record },
                ..*axis
            })
            .collect();
        let offsets = Offsets {
            weight: self.parameter_offset(Role::Weight) + piece.weight,
            ..Offsets::default()
        };
        let (mut header, mut params, workgroups) = self.gather_step(Kernel::GradientFinish, &axes, offsets)?;
        header.weight = weigh;
        let items = [
            Records {
                place: records,
                slot: Slot::Records,
            },
            Records {
                place: coefficients,
                slot: Slot::Coefficients,
            },
        ];
        let (offset, mut operands) = self.records(&items, &piece.records())?;
        params.record_offset = offset;
        operands.push((Slot::SumsRead, partials.operand));
        self.push(header, params, workgroups, &operands)
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
        self.push_dx(part, header, params, workgroups, records, None)
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
        let lanes = if across.is_some() { 1 } else { self.row_lanes(&layout) };
        let spread = self.spread(&layout, across.is_some(), lanes, MAX_PARTS);
        let (mut header, params, workgroups) = self.gradient_step(Kernel::GradientApply, &layout, spread);
        header.given = coefficients.is_none();
        self.push_dx(part, header, params, workgroups, records, coefficients)
    }

    pub(super) fn gradient_step(&self, kernel: Kernel, layout: &Layout, spread: Spread) -> (Header, Params, u64) {
        let mut header = self.header(kernel, spread.workgroup);
        layout.header(&mut header);
        header.lanes = spread.lanes;
        header.rows = spread.rows;
        let mut params = self.params();
        layout.params(&mut params);
        params.spans = spread.spans;
        params.span_units = spread.span_units;
        if let Statistic::Norm { p } = self.operation.statistic {
            params.power = parted(f64::from(p) - 1.0);
        }
        let spans = u64::from(layout.groups.div_ceil(spread.rows)) * u64::from(spread.spans);
        let workgroups = match spread.lanes {
            1 => spans.div_ceil(u64::from(spread.workgroup)),
            _ => spans,
        };
        (header, params, workgroups)
    }

    fn push_dx(
        &mut self,
        part: &Part<'_>,
        mut header: Header,
        mut params: Params,
        workgroups: u64,
        records: Place,
        coefficients: Option<Place>,
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
        let (offset, operands) = self.records(&items, &part.piece.records())?;
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

/// The axis among those of cells: reduced where neither record nor weight change; records in the place of weights.
fn of_cell(axis: &Axis) -> Axis {
    Axis {
        reduced: axis.reduced && axis.weight == 0,
        weight: axis.record,
        record: axis.weight,
        ..*axis
    }
}

/// The axis among those of what each weight multiplies; records in the place of weights.
fn of_weight(axis: &Axis) -> Axis {
    Axis {
        reduced: axis.weight == 0,
        weight: axis.record,
        record: axis.weight,
        ..*axis
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
