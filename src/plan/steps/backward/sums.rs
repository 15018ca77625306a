//! Partial sums, and what is made of them: dweight and dbias, and the coefficients of dx.

use super::Part;
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry, dense_strides, multiply};
use crate::plan::choose::{SMALL_WORKGROUP, prefers_columns};
use crate::plan::layout::{Layout, Offsets, Traversal, Weights, has_columns, run_as_columns};
use crate::plan::pieces::Piece;
use crate::plan::steps::Planner;
use crate::plan::steps::places::{Place, Records, Region};
use crate::plan::steps::split::Spread;
use crate::plan::{Operand, RECORD_BYTES, Role, SUMS_BYTES};
use crate::shader::{Header, Kernel, Params, Slot};
use crate::spec::{Gradients, Statistic, Window};
use crate::tuning::MAX_TRIPS;

/// The most spans that dweight and dbias are summed in, whatever the number of rows.
const MAX_SPANS: u32 = 256;

/// The same of windows, which take an invocation many steps an element.
const MAX_WINDOW_SPANS: u32 = 4096;

/// Invocations that share the sums of a segment, or of a weight, and how many of those a workgroup has side by side.
pub(super) const GATHER_LANES: u32 = 32;
pub(super) const GATHER_COLUMNS: u32 = 8;

/// An axis of partial sums that belong to one.
pub(super) fn summand(extent: u32, x: u32) -> Axis {
    Axis {
        extent,
        reduced: true,
        x,
        y: x,
        weight: 0,
        record: 0,
    }
}

/// Where partial sums lie: `[span][segment or cell or weight][column]`.
pub(super) struct Partials {
    pub operand: Operand,
    /// The axes that number them, by their strides (`x`) in partial sums; and the spans.
    pub axes: Vec<Axis>,
}

impl Planner<'_> {
    /// Partial sums over the reduced ones of `axes`, which are those of the pieces but for what they number.
    pub(super) fn sums(
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
        let window = match self.operation.statistic {
            Statistic::Window(window) => Some(window),
            _ => None,
        };
        let geometries: Vec<_> = (block.iter())
            .map(|part| self.numbered(&part.piece.axes, axes, &numbers, by_weight))
            .collect::<Result<_>>()?;
        let columns = self.common_run(&geometries).filter(|_| by_weight && window.is_none());
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
            let mut offsets = part.offsets;
            let (place, range) = match by_weight && self.from_output {
                true => {
                    offsets.weight = part.piece.weight;
                    (self.inverse()?, 0..u64::from(self.operation.weight_len))
                }
                false => (records, part.piece.records()),
            };
            let slot = Slot::Records;
            let items = [Records { place, slot }];
            let (offset, operands) = self.records(if window.is_some() { &[] } else { &items }, &range)?;
            if by_weight && !self.from_output {
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
            let lanes = match across {
                true => self.column_split_lanes(&layout),
                false => self.row_lanes(&layout),
            };
            let bytes = extents.iter().map(|&extent| u64::from(extent)).product::<u64>()
                * u64::from(columns.unwrap_or(1))
                * SUMS_BYTES;
            let most = |spans: u32| {
                let bound = self.traits.binding_size / bytes.max(1) / block.len() as u64;
                bound.clamp(1, u64::from(spans)) as u32
            };
            let mut spread = self.spread(&layout, across, lanes, most(MAX_SPANS));
            if let Some(window) = window {
                spread = self.window_spread(&layout, spread, window, most(MAX_WINDOW_SPANS))?;
            }
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
        let region = self.region_again(region, size);
        let operand = self.view(Place::Region(region))?;
        for (part, layout, spread, first_span, offset, mut operands) in walks {
            let (mut header, mut params, workgroups) = self.gradient_step(Kernel::GradientSums, &layout, spread);
            header.by_weight = by_weight;
            header.weight &= !by_weight;
            header.bias &= !by_weight;
            params.record_offset = if by_weight { 0 } else { offset };
            params.parts_stride = stride;
            params.first_span = first_span;
            if let Some(window) = window {
                header.windowed = true;
                self.window_params(window, &mut params);
                let channels = part.piece.axes.iter().find(|axis| axis.reduced);
                params.window_step = channels.map_or(0, |axis| axis.x);
            }
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
        numbered.push(summand(spans, stride));
        numbered.push(summand(columns, 1));
        Ok(Partials {
            operand,
            axes: numbered,
        })
    }

    /// The same, or more spans, of which an invocation may take every element's window.
    fn window_spread(&self, layout: &Layout, spread: Spread, window: Window, most_spans: u32) -> Result<Spread> {
        let rows = if spread.lanes > 1 { 1 } else { spread.rows };
        // And the walk itself, of which every unit may end a run.
        let trips = self.window_trips(window) + 6;
        let most_units = MAX_TRIPS / trips / u64::from(rows);
        let most_units = most_units * u64::from(spread.lanes);
        let spans = u64::from(layout.units).div_ceil(most_units.max(1));
        if most_units == 0 || spans > u64::from(most_spans) {
            bail!(
                Limit,
                "shape",
                "dweight and dbias take {spans} sums over windows of {trips} steps each, and the most are {most_spans}"
            );
        }
        let spans = spread.spans.max(spans as u32);
        Ok(self.spread_over(layout, (spread.lanes, spread.rows), spans))
    }

    /// The region, or a larger one in its place.
    pub(super) fn region_again(&mut self, region: &mut Option<Region>, size: u64) -> Region {
        match *region {
            Some(before) if before.size >= size => Region { size, ..before },
            _ => *region.insert(self.region(size)),
        }
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
        header.bias = false;
        let mut params = self.params();
        // Weights are read element by element.
        let Some(layout) = Layout::new(&geometry, Traversal::SharedRows, 1, Weights::Records, offsets) else {
            bail!(Variant, "variant", "there is nothing to sum");
        };
        layout.header(&mut header);
        if !self.traits.software && layout.units > self.tuning.finish_parts {
            header.lanes = GATHER_LANES;
            header.workgroup = GATHER_LANES * layout.groups.next_power_of_two().min(GATHER_COLUMNS);
        }
        if u64::from(layout.units.div_ceil(header.lanes)) > MAX_TRIPS / 3 {
            bail!(
                Limit,
                "shape",
                "{} sums are more than {}, which one invocation may add",
                layout.units,
                MAX_TRIPS / 3
            );
        }
        header.runs = !layout.is_one_run();
        layout.params(&mut params);
        let columns = header.workgroup / header.lanes;
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(columns));
        Ok((header, params, workgroups))
    }

    /// dweight and dbias from partial sums of pieces that begin at some weight.
    pub(super) fn parameters(
        &mut self,
        partials: &Partials,
        weight: u32,
        first: bool,
        wanted: Gradients,
    ) -> Result<()> {
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
    pub(super) fn coefficients(
        &mut self,
        partials: &Partials,
        piece: &Piece,
        weigh: bool,
        records: Place,
        coefficients: Place,
    ) -> Result<()> {
        let of = |place, slot| Records { place, slot };
        let items = [
            of(records, Slot::Records),
            of(coefficients, Slot::Coefficients),
            of(Place::View(Role::Corrections), Slot::Corrections),
        ];
        let items = &items[..if self.operation.renorm().is_some() { 3 } else { 2 }];
        self.per_segment(Kernel::GradientFinish, partials, piece, weigh, items, false)
    }

    /// The caller's sums of the segments of a block, from the same.
    pub(super) fn segment_sums(
        &mut self,
        partials: &Partials,
        piece: &Piece,
        weigh: bool,
        accumulate: bool,
    ) -> Result<()> {
        let items = [Records {
            place: Place::View(Role::Sums),
            slot: Slot::Sums,
        }];
        self.per_segment(Kernel::GradientSegments, partials, piece, weigh, &items, accumulate)
    }

    /// What a kernel makes of the partial sums of every segment of a block.
    fn per_segment(
        &mut self,
        kernel: Kernel,
        partials: &Partials,
        piece: &Piece,
        weigh: bool,
        items: &[Records],
        accumulate: bool,
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
        let (mut header, mut params, workgroups) = self.gather_step(kernel, &axes, offsets)?;
        header.weight = weigh;
        header.renormed = kernel == Kernel::GradientFinish && self.operation.renorm().is_some();
        params.accumulate = u32::from(accumulate);
        let (offset, mut operands) = self.records(items, &piece.records())?;
        params.record_offset = offset;
        operands.push((Slot::SumsRead, partials.operand));
        self.push(header, params, workgroups, &operands)
    }

    /// Records that take y to x_hat, one per weight: made when they are first asked for.
    fn inverse(&mut self) -> Result<Place> {
        if let Some(region) = self.inverse {
            return Ok(Place::Region(region));
        }
        let weights = self.operation.weight_len;
        let region = self.region_of(weights, RECORD_BYTES);
        let header = self.header(Kernel::Inverse, SMALL_WORKGROUP);
        let mut params = self.params();
        params.segments = weights;
        params.weight_offset = self.parameter_offset(Role::Weight);
        params.bias_shift = self.parameter_offset(Role::Bias).wrapping_sub(params.weight_offset);
        let operands = [(Slot::Records, self.view(Place::Region(region))?)];
        let workgroups = u64::from(weights).div_ceil(u64::from(SMALL_WORKGROUP));
        self.push(header, params, workgroups, &operands)?;
        self.inverse = Some(region);
        Ok(Place::Region(region))
    }

    /// The coefficients of all segments from the caller's sums.
    pub(super) fn coefficients_of_sums(&mut self, records: Place, coefficients: Place) -> Result<()> {
        for range in self.segment_ranges(SUMS_BYTES, Role::Sums)? {
            let mut header = self.header(Kernel::GradientGiven, SMALL_WORKGROUP);
            (header.weight, header.bias) = (false, false);
            let mut params = self.params();
            params.segments = (range.end - range.start) as u32;
            let of = |place, slot| Records { place, slot };
            let items = [
                of(records, Slot::Records),
                of(Place::View(Role::Sums), Slot::SumsRead),
                of(coefficients, Slot::Coefficients),
                of(Place::View(Role::Corrections), Slot::Corrections),
            ];
            header.renormed = self.operation.renorm().is_some();
            let items = &items[..if header.renormed { 4 } else { 3 }];
            let (_, operands) = self.records(items, &range)?;
            let workgroups = u64::from(params.segments).div_ceil(u64::from(SMALL_WORKGROUP));
            self.push(header, params, workgroups, &operands)?;
        }
        Ok(())
    }
}
