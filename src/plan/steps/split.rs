//! Statistics and application apart: partial statistics of spans, their finish, and what is made with records.

use std::ops::Range;

use super::places::{Place, Records, Region};
use super::{Part, Planner, SMALL_WORKGROUP};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::geometry::{Axis, Geometry, dense_strides, multiply};
use crate::plan::choose::MAX_PARTS;
use crate::plan::layout::{Layout, Offsets, Traversal, Weights, has_columns, run_as_columns};
use crate::plan::pieces::{Piece, RECORD_ALIGNMENT, check_pieces};
use crate::plan::{MOMENTS_BYTES, RECORD_BYTES, Role};
use crate::shader::{Header, Kernel, Parameters, Params, Slot, Unit};
use crate::spec::Stage;
use crate::tuning::{MAX_TRIPS, Variant};

/// The most units of columns that a workgroup takes side by side: 512 bytes.
const COLUMN_TILE: u32 = 32;

/// Storage buffers that a kernel binds at most in browsers.
const BROWSER_BUFFERS: u32 = 8;

/// Bytes of workgroup memory of an invocation that sums a unit of columns: its moments.
const COLUMN_MOMENTS_BYTES: u32 = 80;

/// The most columns whose rows are folded: there are four parts of each, and all parts have to fit a binding.
const MAX_FOLDED: u32 = 1 << 16;

/// How a dispatch is spread over a layout.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub lanes: u32,
    /// Neighbouring segments that an invocation takes one after the other, or, where several share a span, that a
    /// workgroup takes side by side.
    pub rows: u32,
    pub workgroup: u32,
    pub spans: u32,
    pub span_units: u32,
}

/// Moments of parts of segments, as combine_parts.wgsl takes them.
pub(super) struct Parts {
    pub place: Place,
    pub spans: u32,
    /// Neighbouring columns that belong to one segment.
    pub columns: u32,
}

/// What an application takes the statistics of segments from.
pub(super) enum Settled {
    Records(Place),
    Parts(Parts),
}

impl Planner<'_> {
    /// The variant whose application step traverses the geometry well.
    pub(super) fn split_kind(&self, geometry: &Geometry) -> Variant {
        let short_runs = geometry.run() < self.tuning.run_elements && run_as_columns(geometry).is_some();
        if has_columns(geometry) || short_runs {
            Variant::ColumnSplit
        } else {
            Variant::Split
        }
    }

    /// Invocations that share a span along a row.
    pub(super) fn split_lanes(&self) -> u32 {
        self.tuning.split_lanes.min(self.traits.widest_tree())
    }

    /// Invocations that share a span of a unit of columns: one where the device runs few at once; else as many as a
    /// workgroup has that is no wider than the columns, or than a few lines of memory.
    pub(super) fn column_split_lanes(&self, layout: &Layout) -> u32 {
        if self.traits.software {
            return 1;
        }
        let across = match self.operation.batch_invariant {
            true => COLUMN_TILE,
            false => layout.groups.next_power_of_two().min(COLUMN_TILE),
        };
        (self.column_workgroup() / across).max(1)
    }

    /// Invocations of a workgroup that shares spans of columns: their moments have to fit its memory.
    fn column_workgroup(&self) -> u32 {
        let fit = (self.traits.workgroup_memory / COLUMN_MOMENTS_BYTES).max(1);
        self.split_lanes().min(1 << fit.ilog2())
    }

    /// The walk of spans along rows, and the invocations that share one. Those of a software adapter do not where that lets
    /// units begin anywhere, nor where runs are short: see `shared_run_elements`.
    fn row_walk(&self, geometry: &Geometry, weights: Weights, offsets: Offsets) -> Option<(Layout, u32)> {
        let walk = |traversal| Layout::new(geometry, traversal, self.tuning.widest_unit, weights, offsets);
        let alone = walk(Traversal::Rows)?;
        let lanes = self.split_lanes();
        let software = self.traits.software;
        if lanes == 1 || software && (alone.unit == Unit::Loose || self.has_short_runs(&alone)) {
            return Some((alone, 1));
        }
        Some((walk(Traversal::SharedRows)?, lanes))
    }

    /// True if runs are too short for invocations of a software adapter to share their units.
    fn has_short_runs(&self, layout: &Layout) -> bool {
        !layout.is_one_run() && layout.run_elements() < self.tuning.shared_run_elements
    }

    /// The walks of spans across columns, which together are all of the geometry, and the invocations that share a span of a
    /// unit.
    fn column_walks(&self, geometry: &Geometry, weights: Weights, offsets: Offsets) -> Option<Vec<(Layout, u32)>> {
        let widest = self.tuning.widest_unit;
        let walks = match Layout::folded(geometry, widest, weights, offsets) {
            Some(walks) if self.folds(geometry, walks.len() > 1) => walks,
            _ => vec![Layout::new(geometry, Traversal::Columns, widest, weights, offsets)?],
        };
        let with_lanes = |layout| {
            let lanes = self.column_split_lanes(&layout);
            (layout, lanes)
        };
        Some(walks.into_iter().map(with_lanes).collect())
    }

    /// Whether rows of columns are worth folding, where that leaves over some, or none. Not for batch invariance: a sample alone may
    /// be folded where further ones begin at no whole unit.
    fn folds(&self, geometry: &Geometry, rest: bool) -> bool {
        let elements = u64::from(geometry.segments) * u64::from(geometry.length);
        !self.operation.batch_invariant
            && (self.tuning.fold_columns..=MAX_FOLDED).contains(&geometry.segments)
            && (!rest || elements >= u64::from(self.tuning.fold_elements))
    }

    /// True if the invocations of subgroups can read the weights of `layout` once for all: each takes a span of its own,
    /// the same one of neighbouring segments.
    fn shares_weights(&self, layout: &Layout) -> bool {
        let sixteen = matches!(layout.unit, Unit::Mat4 | Unit::Loose) && layout.weight_in_unit();
        let eight_lanes = self.sharing() == Some(Parameters::Eighths);
        let workgroups = self.tuning.lane_workgroup.0 >= 8;
        sixteen && eight_lanes && workgroups && layout.same_weights() && layout.groups.is_multiple_of(8)
    }

    /// How what writes a tensor spreads over a layout: over twice as many spans of columns as statistics, whose spans have to be
    /// merged. (H200, batch norm of 64x56x56x256: an application of 120 us, and 111 so.)
    pub(super) fn spread_writes(&self, layout: &Layout, columns: bool, lanes: u32) -> Spread {
        let more = if columns && lanes > 1 { 2 } else { 1 };
        self.spread_by(layout, (columns, more), lanes, MAX_PARTS)
    }

    /// How partial statistics spread over a layout, over `most_spans` at most.
    pub(super) fn spread(&self, layout: &Layout, columns: bool, lanes: u32, most_spans: u32) -> Spread {
        self.spread_by(layout, (columns, 1), lanes, most_spans)
    }

    /// Over so many times the invocations that columns should put to work.
    fn spread_by(&self, layout: &Layout, (columns, more): (bool, u32), lanes: u32, most_spans: u32) -> Spread {
        let tuning = self.tuning;
        // Batch invariance: as for a single segment, so that spans do not depend on their number.
        let groups = if self.operation.batch_invariant {
            1
        } else {
            layout.groups
        };
        // More columns than a subgroup of eight covers: an invocation takes several, so that it moves whole lines of memory
        // within spans that a cache holds.
        let rows = match columns && lanes == 1 && (layout.groups > 8 || self.operation.batch_invariant) {
            true => tuning.column_rows,
            false => 1,
        };
        let most_units = (layout.most_units(lanes) / rows).max(1);
        let cached_units = if rows == 1 {
            most_units
        } else {
            most_units.min(tuning.column_units)
        };
        let target = match columns {
            true => more * tuning.column_target,
            false if lanes == 1 && self.has_short_runs(layout) => tuning.alone_target,
            false => tuning.split_target,
        };
        let wanted = (target / lanes).div_ceil(groups.div_ceil(rows));
        let most = layout.units.div_ceil(tuning.split_units * lanes);
        let spans_of = |units: u32| layout.units.div_ceil(units.saturating_mul(lanes));
        let spans = wanted.min(most).max(spans_of(cached_units)).min(most_spans);
        let spans = spans.max(spans_of(most_units)).max(1);
        let rows = if columns && lanes > 1 {
            self.column_workgroup() / lanes
        } else {
            rows
        };
        self.spread_over(layout, (lanes, rows), spans)
    }

    /// The spread of a layout over about so many spans.
    pub(super) fn spread_over(&self, layout: &Layout, (lanes, rows): (u32, u32), spans: u32) -> Spread {
        let span_units = layout.units.div_ceil(spans);
        let spans = layout.units.div_ceil(span_units);
        let workgroup = match lanes {
            1 => self.lane_workgroup(u64::from(layout.groups.div_ceil(rows)) * u64::from(spans)),
            _ => lanes * rows,
        };
        Spread {
            lanes,
            rows,
            workgroup,
            spans,
            span_units,
        }
    }

    pub(super) fn spread_step(
        &self,
        part: &Part<'_>,
        kernel: Kernel,
        layout: &Layout,
        spread: Spread,
    ) -> (Header, Params, u64) {
        self.spread_header(self.header_of(part, kernel, spread.workgroup), layout, spread)
    }

    /// The header, the parameters and the workgroups of a kernel that is spread over a layout.
    pub(super) fn spread_header(&self, mut header: Header, layout: &Layout, spread: Spread) -> (Header, Params, u64) {
        layout.header(&mut header);
        header.lanes = spread.lanes;
        header.rows = if spread.lanes > 1 { 1 } else { spread.rows };
        let mut params = self.params();
        layout.params(&mut params);
        params.spans = spread.spans;
        params.span_units = spread.span_units;
        let spans = u64::from(layout.groups.div_ceil(spread.rows)) * u64::from(spread.spans);
        let workgroups = if spread.lanes > 1 {
            spans
        } else {
            spans.div_ceil(u64::from(spread.workgroup))
        };
        (header, params, workgroups)
    }

    /// The walks of partial statistics over a piece, where `columns` parts side by side make up one segment, and the invocations
    /// that share a span. Parts are numbered within the block: [record of the block][column].
    fn partial_walks(&self, part: &Part<'_>, columns: Option<u32>) -> Result<Vec<(Layout, u32)>> {
        let geometry = Geometry::for_statistics(&numbered_within(&part.piece.axes)?)?;
        let (weights, offsets) = (Weights::Ignored, part.bindings.offsets);
        let across = match columns {
            None => None,
            Some(_) if has_columns(&geometry) => Some(geometry.clone()),
            Some(columns) => match run_as_columns(&geometry) {
                Some(mut parts) => {
                    let (run, kept) = match parts.kept.split_last_mut() {
                        Some(split) => split,
                        None => bail!(Variant, "variant", "there is no run to take apart"),
                    };
                    run.record = 1;
                    kept.iter_mut().for_each(|digit| digit.record *= columns);
                    Some(parts)
                }
                None => bail!(Variant, "variant", "segments do not interleave in memory"),
            },
        };
        let walks = match &across {
            Some(geometry) => self.column_walks(geometry, weights, offsets),
            None => self.row_walk(&geometry, weights, offsets).map(|walk| vec![walk]),
        };
        walks.ok_or_else(no_columns)
    }

    /// The records and moments of the segments of a block: partial statistics of its pieces, and their finish.
    pub(super) fn statistics(
        &mut self,
        block: &[Part<'_>],
        outputs: (Option<Place>, Option<Place>),
        region: &mut Option<Region>,
    ) -> Result<()> {
        let parts = self.partial(block, region)?;
        self.finish(&parts, block[0].piece, outputs)
    }

    /// The moments of spans of the segments of a block.
    pub(super) fn partial(&mut self, block: &[Part<'_>], region: &mut Option<Region>) -> Result<Parts> {
        let columns = common_columns(block).filter(|_| block[0].variant == Variant::ColumnSplit);
        let part_columns = columns.unwrap_or(1);
        let segments = block[0].geometries.statistics.segments;
        let stride = multiply(segments, part_columns, "shape")?;
        let mut walks = Vec::with_capacity(block.len());
        for part in block {
            walks.extend(self.partial_walks(part, columns)?.into_iter().map(|walk| (part, walk)));
        }
        // All parts of the block are one binding, and one workgroup combines those of a segment.
        let rows: u64 = walks.iter().map(|(_, (layout, _))| u64::from(layout.fold)).sum();
        let bound = self.traits.binding_size / (u64::from(stride) * MOMENTS_BYTES) / rows;
        let most_spans = bound.clamp(1, (u64::from(MAX_PARTS / part_columns) / rows).max(1)) as u32;
        let mut spans = 0u32;
        let mut spread_walks = Vec::with_capacity(walks.len());
        for (part, (layout, lanes)) in walks {
            let spread = self.spread(&layout, columns.is_some(), lanes, most_spans);
            let of_walk = spread.spans * layout.fold;
            spread_walks.push((part, layout, spread, spans));
            spans = multiply(spans + of_walk, 1, "shape")?;
        }
        let count = multiply(multiply(spans, stride, "shape")?, 2, "shape")? / 2;
        let parts = *region.get_or_insert_with(|| self.region_of(count, MOMENTS_BYTES));
        // The first block is the largest, but its segments may have fewer spans.
        let size = u64::from(count) * MOMENTS_BYTES;
        let parts = match size <= parts.size {
            true => Region { size, ..parts },
            false => self.region(size),
        };
        for (part, layout, spread, first_span) in spread_walks {
            let (mut header, mut params, workgroups) = self.spread_step(part, Kernel::Partial, &layout, spread);
            header.moments = true;
            (header.weight, header.bias) = (false, false);
            params.parts_stride = stride;
            params.first_span = first_span;
            let operands = vec![(Slot::Moments, self.view(Place::Region(parts))?)];
            self.push_part(part, header, params, workgroups, operands)?;
        }
        Ok(Parts {
            place: Place::Region(parts),
            spans,
            columns: part_columns,
        })
    }

    /// The records and moments of the segments of a block.
    pub(super) fn finish(
        &mut self,
        parts: &Parts,
        piece: &Piece,
        (records, moments): (Option<Place>, Option<Place>),
    ) -> Result<()> {
        let mut header = self.header(Kernel::Finish, SMALL_WORKGROUP);
        let mut params = self.params();
        // Parts are numbered within the block, records and moments within the tensor.
        let within = numbered_within(&piece.axes)?;
        let kept = within.iter().zip(&piece.axes).filter(|(axis, _)| !axis.reduced);
        let numbers: Vec<_> = kept
            .map(|(within, axis)| Axis {
                x: within.record,
                y: within.record,
                weight: 0,
                ..*axis
            })
            .collect();
        let layout = Layout::new(
            &Geometry::for_statistics(&numbers)?,
            Traversal::Rows,
            1,
            Weights::Ignored,
            Offsets::default(),
        );
        if let Some(layout) = &layout {
            layout.header(&mut header);
            layout.params(&mut params);
        }
        params.parts = multiply(parts.spans, parts.columns, "shape")?;
        if params.parts > MAX_PARTS {
            bail!(
                Limit,
                "shape",
                "{} parts of a segment are more than {MAX_PARTS}, which one workgroup may combine",
                params.parts
            );
        }
        params.parts_group = parts.columns;
        params.parts_stride = multiply(params.segments, parts.columns, "shape")?;
        let alone = params.parts <= self.tuning.finish_parts;
        header.lanes = if alone { 1 } else { SMALL_WORKGROUP };
        let items = self.outputs(&mut header, records, moments);
        let (offset, mut operands) = self.records(&items, &piece.records())?;
        params.record_offset = offset;
        operands.push((Slot::Parts, self.view(self.resolve(parts.place))?));
        let segments = u64::from(params.segments);
        let workgroups = if alone {
            segments.div_ceil(u64::from(SMALL_WORKGROUP))
        } else {
            segments
        };
        self.push(header, params, workgroups, &operands)
    }

    /// All segments, in ranges of which a binding holds that many bytes each.
    pub(super) fn segment_ranges(&self, bytes: u64, role: Role) -> Result<Vec<Range<u64>>> {
        let most = self.traits.binding_size / bytes;
        let most = (most - most % u64::from(RECORD_ALIGNMENT)).max(1);
        let segments = u64::from(self.segments());
        check_pieces(segments.div_ceil(most), role.name(), self.traits.binding_size)?;
        let firsts = (0..segments).step_by(most as usize);
        Ok(firsts.map(|first| first..segments.min(first + most)).collect())
    }

    /// Records from the moments that the caller gives.
    pub(super) fn records_of_moments(&mut self, records: Place) -> Result<()> {
        for range in self.segment_ranges(MOMENTS_BYTES, Role::Moments)? {
            let mut header = self.header(Kernel::Finish, SMALL_WORKGROUP);
            let mut params = self.params();
            params.segments = (range.end - range.start) as u32;
            (params.parts, params.parts_group, params.parts_stride) = (1, 1, params.segments);
            (header.kept, header.records) = (1, true);
            params.digits[0].extent = params.segments;
            params.digits[0].record = 1;
            let items = [
                Records {
                    place: records,
                    slot: Slot::Records,
                },
                Records {
                    place: Place::View(Role::Moments),
                    slot: Slot::Parts,
                },
            ];
            let (_, operands) = self.records(&items, &range)?;
            let workgroups = u64::from(params.segments).div_ceil(u64::from(SMALL_WORKGROUP));
            self.push(header, params, workgroups, &operands)?;
        }
        Ok(())
    }

    /// Whether the application to a piece that is all of the tensor combines the parts of its segments itself, each of its
    /// invocations all of them, which saves a dispatch.
    pub(super) fn merges(&self, part: &Part<'_>, parts: &Parts, moments: Option<Place>) -> bool {
        let few = part.variant == Variant::Split && parts.spans <= self.tuning.apply_parts;
        let mut header = self.header(Kernel::Apply, SMALL_WORKGROUP);
        header.merges = true;
        few && moments.is_none() && self.can_settle(header, self.updates_at_once)
    }

    /// y of a piece from x and its statistics.
    pub(super) fn apply(&mut self, part: &Part<'_>, settled: Settled) -> Result<()> {
        let geometry = &part.geometries.applied;
        let across = match part.variant {
            Variant::ColumnSplit if has_columns(geometry) => Some(geometry.clone()),
            Variant::ColumnSplit => run_as_columns(geometry),
            _ => None,
        };
        let (widest, offsets) = (self.tuning.widest_unit, part.bindings.offsets);
        let weights = Weights::read_if(self.whole.has_affine);
        if let Some(parts) = &across {
            for (layout, lanes) in self.column_walks(parts, weights, offsets).ok_or_else(no_columns)? {
                let spread = self.spread_writes(&layout, true, lanes);
                let step = self.spread_step(part, Kernel::Apply, &layout, spread);
                self.push_apply(part, &settled, step)?;
            }
            return Ok(());
        }
        let merges = matches!(settled, Settled::Parts(_));
        let sharing = Layout::new(geometry, Traversal::Rows, widest, weights, offsets)
            .filter(|layout| !merges && self.shares_weights(layout));
        let Some(layout) = sharing else {
            let (layout, lanes) = self.row_walk(geometry, weights, offsets).ok_or_else(no_columns)?;
            let spread = self.spread_writes(&layout, false, lanes);
            let step = self.spread_step(part, Kernel::Apply, &layout, spread);
            return self.push_apply(part, &settled, step);
        };
        let spread = self.spread_writes(&layout, false, 1);
        let (mut header, params, _) = self.spread_step(part, Kernel::Apply, &layout, spread);
        // A workgroup takes a span of as many segments as it has invocations.
        header.parameters = Parameters::Eighths;
        header.workgroup = 1 << layout.groups.trailing_zeros().min(header.workgroup.ilog2());
        let workgroups = u64::from(layout.groups / header.workgroup) * u64::from(spread.spans);
        self.push_apply(part, &settled, (header, params, workgroups))
    }

    fn push_apply(
        &mut self,
        part: &Part<'_>,
        settled: &Settled,
        (mut header, mut params, workgroups): (Header, Params, u64),
    ) -> Result<()> {
        let (items, parts) = match *settled {
            Settled::Records(place) => {
                let slot = Slot::Records;
                (vec![Records { place, slot }], None)
            }
            Settled::Parts(ref parts) => {
                header.merges = true;
                (params.parts, params.parts_group) = (parts.spans, 1);
                params.parts_stride = part.geometries.statistics.segments;
                (self.outputs(&mut header, self.saved(), None), Some(parts.place))
            }
        };
        let (offset, mut operands) = self.records(&items, &part.piece.records())?;
        if let Some(parts) = parts {
            operands.push((Slot::Parts, self.view(parts)?));
        }
        params.record_offset = offset;
        self.push_part(part, header, params, workgroups, operands)
    }

    /// Records from the running statistics that the caller gives.
    pub(super) fn given(&mut self, records: Region) -> Result<()> {
        let header = self.header(Kernel::Given, SMALL_WORKGROUP);
        let workgroups = u64::from(self.segments()).div_ceil(u64::from(SMALL_WORKGROUP));
        let operands = [(Slot::Records, self.view(Place::Region(records))?)];
        self.push(header, self.params(), workgroups, &operands)
    }

    /// Takes records of the batch to renormalized ones, if the operation asks for it.
    pub(super) fn renorm(&mut self, records: Place, range: &Range<u64>) -> Result<()> {
        if self.operation.renorm().is_none() {
            return Ok(());
        }
        let mut header = self.header(Kernel::Renorm, SMALL_WORKGROUP);
        header.renormed = true;
        let mut params = self.params();
        params.segments = (range.end - range.start) as u32;
        params.first_channel = range.start as u32;
        // For the backward pass, which takes the records that the caller keeps; else for nobody.
        let corrections = match self.saved() {
            Some(_) => Place::View(Role::Corrections),
            None => Place::Region(self.region_of(self.segments(), RECORD_BYTES)),
        };
        let of = |place, slot| Records { place, slot };
        let items = [of(records, Slot::Records), of(corrections, Slot::Corrections)];
        let (offset, operands) = self.records(&items, range)?;
        params.record_offset = offset;
        let workgroups = u64::from(params.segments).div_ceil(u64::from(SMALL_WORKGROUP));
        self.push(header, params, workgroups, &operands)
    }

    /// Whether what settles segments can update the running statistics: each channel is one, and all are settled by one
    /// dispatch. (Renormalization reads what is updated.)
    pub(super) fn can_update_at_once(&self, blocks: &[Vec<Piece>]) -> bool {
        let operation = self.operation;
        let alone = operation.running.is_some_and(|update| update.instances == 1) && blocks.len() == 1;
        let whole = operation.stage == Stage::Whole && operation.renorm().is_none();
        alone && whole && self.can_settle(self.header(Kernel::Lane, SMALL_WORKGROUP), true)
    }

    /// Whether a kernel that writes y can write the records that the caller saves too, and update the running statistics: it may
    /// bind as many storage buffers as browsers do, and the device.
    fn can_settle(&self, mut header: Header, running: bool) -> bool {
        header.records = self.saved().is_some();
        header.running = running;
        header.counts_batches = running && self.counts_batches();
        header.bindings().len() as u32 <= self.traits.storage_buffers.min(BROWSER_BUFFERS)
    }

    /// Whether the running statistics are averages over batches that are counted.
    pub(super) fn counts_batches(&self) -> bool {
        self.operation.running.is_some_and(|update| update.rate.is_none())
    }

    /// The update of the running statistics, if the operation asks for one.
    pub(super) fn running(&mut self, moments: Place) -> Result<()> {
        let Some(update) = self.operation.running else {
            return Ok(());
        };
        if u64::from(update.instances) > MAX_TRIPS {
            bail!(
                Limit,
                "shape",
                "{} samples are more than {MAX_TRIPS}, which one invocation may average",
                update.instances
            );
        }
        let mut header = self.header(Kernel::Running, SMALL_WORKGROUP);
        header.counts_batches = self.counts_batches();
        let mut params = self.params();
        params.segments = update.channels;
        let workgroups = u64::from(update.channels).div_ceil(u64::from(SMALL_WORKGROUP));
        let operands = [(Slot::Parts, self.view(self.resolve(moments))?)];
        self.push(header, params, workgroups, &operands)
    }
}

fn no_columns() -> Error {
    let message = "the innermost axis is not a kept, contiguous one".to_owned();
    Error::new(ErrorKind::Variant, "variant", message)
}

/// The columns that every piece of a block can be taken apart into, if it is the same number for all.
fn common_columns(block: &[Part<'_>]) -> Option<u32> {
    let columns = |part: &Part<'_>| {
        let geometry = &part.geometries.statistics;
        match has_columns(geometry) {
            true => Some(1),
            false => run_as_columns(geometry).map(|_| geometry.run()),
        }
    };
    let first = columns(&block[0])?;
    block.iter().all(|part| columns(part) == Some(first)).then_some(first)
}

/// Axes for kernels that read x alone, with records numbered as if there were no others.
fn numbered_within(axes: &[Axis]) -> Result<Vec<Axis>> {
    let extents: Vec<_> = axes
        .iter()
        .map(|axis| if axis.reduced { 1 } else { axis.extent })
        .collect();
    let records = dense_strides(&extents, "shape")?;
    let number = |(axis, record): (&Axis, u32)| Axis {
        y: axis.x,
        record: if axis.reduced { 0 } else { record },
        ..*axis
    };
    Ok(axes.iter().zip(records).map(number).collect())
}
