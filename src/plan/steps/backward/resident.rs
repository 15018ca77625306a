//! dx, dweight and dbias of segments that invocations hold in registers.
//!
//! Where all segments have the same weights, lanes add up what they hold for dweight and dbias, over the segments that they take
//! in turn. Where each segment has one weight, its sums are written, for dweight and dbias to be made of those.

use super::choose::has_few_segments;
use super::sums::{GATHER_COLUMNS, GATHER_LANES, Partials, summand};
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::geometry::Axis;
use crate::plan::choose::{SMALL_WORKGROUP, subgroup_lanes_of, workgroup_lanes_of};
use crate::plan::layout::{Layout, Traversal};
use crate::plan::steps::places::{Place, Region};
use crate::plan::{Operand, Role, SUMS_BYTES};
use crate::shader::{Kernel, Slot, Unit};
use crate::spec::{Gradients, Source, Statistic};
use crate::tuning::Variant;

/// The most segments that a slot of a workgroup takes one after the other: so many terms of a gradient of a weight follow each
/// other, each rounded: as the tolerances of `verify` allow. With so many, the parts of 2³¹ elements take 64 MiB.
const MOST_ROWS: u32 = 256;

/// The most units that an invocation holds of x and of dy: as many as the shaders list.
const MOST_UNITS: u32 = 8;

/// What is written beside dx.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// What lanes have of the gradients of the weights that all segments share.
    Weights,
    /// Sums of segments, each of which has one weight.
    Segments,
}

/// How workgroups share the segments.
#[derive(Clone, Copy)]
struct Shares {
    /// Invocations of a segment, and of a workgroup.
    lanes: u32,
    workgroup: u32,
    /// Segments of a slot, one after the other.
    rows: u32,
    workgroups: u64,
}

impl Shares {
    /// Bytes of the parts of dweight and dbias.
    fn parts(&self, layout: &Layout) -> u64 {
        self.workgroups * u64::from(vectors(layout)) * SUMS_BYTES
    }
}

impl Planner<'_> {
    /// True if the variant, one of those that hold segments, can make dx of a piece and, if `sums`, in the same dispatch what
    /// dweight and dbias are made of.
    pub(super) fn holds_gradients(&self, part: &Part<'_>, variant: Variant, sums: bool) -> bool {
        self.held_layout(part, sums)
            .is_some_and(|(layout, beside)| self.gradient_shares(part, &layout, variant, beside).is_some())
    }

    /// The walk over segments that are one run of whole units, all with the same weights or each with one.
    fn held_layout(&self, part: &Part<'_>, parameters: bool) -> Option<(Layout, Beside)> {
        let operation = self.operation;
        let largest = matches!(operation.statistic, Statistic::Norm { p } if p.is_infinite());
        if operation.source != Source::Input || largest || self.tuning.widest_unit < 4 {
            return None;
        }
        // As many lanes as a subgroup has are to have a unit each.
        let wide = self.whole.applied.length >= 16 * self.traits.smallest_subgroup();
        let widest = self.tuning.widest_unit.min(if wide { 16 } else { 4 });
        let layout = self.gradient_layout_in(part, &part.geometries.applied, Traversal::HeldRows, widest)?;
        let whole_units = matches!(layout.unit, Unit::Vec4 | Unit::Mat4) && layout.is_whole();
        let all_weights = operation.weight_len == layout.units * layout.unit.width();
        let beside = match parameters || self.whole.has_affine {
            false => Some(Beside::Nothing),
            true if layout.weight_in_unit() && layout.same_weights() && all_weights => Some(Beside::Weights),
            true if has_one_weight(part) && has_few_segments(&part.piece.axes) => Some(Beside::Segments),
            true => None,
        };
        let beside = beside.map(|beside| if parameters { beside } else { Beside::Nothing })?;
        whole_units.then_some((layout, beside))
    }

    fn gradient_shares(&self, part: &Part<'_>, layout: &Layout, variant: Variant, beside: Beside) -> Option<Shares> {
        let (traits, tuning) = (self.traits, self.tuning);
        let (best, limit) = tuning.gradient_units;
        let sums = beside == Beside::Weights;
        // Those take as many registers as x and dy.
        let units = match sums {
            true => (best, limit),
            false if traits.software => (best, MOST_UNITS),
            false => (2 * best, MOST_UNITS),
        };
        let (lanes, workgroup) = match variant {
            Variant::Subgroup => {
                // A workgroup has the lanes for fewer each. (H200, 4096x1024: 38.0 us with eight, 29.7 in a workgroup with two.)
                let most = if sums && !traits.software { 2 * best } else { MOST_UNITS };
                let units = (units.0, units.1.min(most));
                let lanes = subgroup_lanes_of(layout.units, traits, tuning, units)?;
                (lanes, tuning.subgroup_workgroup)
            }
            _ => {
                // Barriers are what software adapters have the fewest of.
                let units = if traits.software { (units.1, units.1) } else { units };
                let lanes = workgroup_lanes_of(layout.units, traits, tuning, units)?;
                (lanes, lanes)
            }
        };
        let slots = workgroup / lanes;
        let rows = match sums {
            true => {
                let workgroups = (tuning.gradient_target / workgroup).max(1);
                layout.groups.div_ceil(slots * workgroups).clamp(1, MOST_ROWS)
            }
            false => 1,
        };
        let shares = Shares {
            lanes,
            workgroup,
            rows,
            workgroups: u64::from(layout.groups).div_ceil(u64::from(slots * rows)),
        };
        // What is reduced, where there are no subgroups; the shares of dweight and dbias, where there are several slots.
        let share = 8 * layout.unit.width();
        let memory = 8 * workgroup + share * if slots > 1 { workgroup } else { 1 };
        let written = match beside {
            Beside::Nothing => 0,
            Beside::Weights => shares.parts(layout),
            Beside::Segments => segment_bytes(part),
        };
        let bound = written <= traits.binding_size;
        (memory <= traits.workgroup_memory && bound).then_some(shares)
    }

    /// dx of a piece of whole segments and, if wanted, dweight and dbias.
    pub(super) fn gradient_resident(
        &mut self,
        part: &Part<'_>,
        variant: Variant,
        wanted: Gradients,
        records: Place,
        region: &mut Option<Region>,
    ) -> Result<()> {
        let layout = self.held_layout(part, wanted.dweight || wanted.dbias);
        let found = layout.and_then(|(layout, beside)| {
            let shares = self.gradient_shares(part, &layout, variant, beside)?;
            Some((shares, layout, beside))
        });
        let Some((shares, layout, beside)) = found else {
            bail!(
                Variant,
                "variant",
                "{variant} cannot hold segments of {} elements",
                self.whole.applied.length
            );
        };
        let spread = self.spread_over(&layout, (1, 1), 1);
        let (mut header, mut params, _) = self.gradient_step(Kernel::GradientResident, &layout, spread);
        layout.resident_header(&mut header, shares.lanes);
        header.workgroup = shares.workgroup;
        header.reduction = self.reduction(shares.lanes, shares.workgroup, variant);
        header.sums = beside != Beside::Nothing;
        header.one_weight = layout.has_one_weight();
        header.rows = shares.rows;
        let workgroups = shares.workgroups;
        let segments = shares.workgroup / shares.lanes * shares.rows;
        header.full_groups = self.fills(&layout, segments, workgroups);
        params.parts = workgroups as u32;
        let bytes = match beside {
            Beside::Nothing => return self.push_dx(part, header, params, workgroups, (records, None), Vec::new()),
            Beside::Weights => shares.parts(&layout),
            Beside::Segments => segment_bytes(part),
        };
        let region = self.region_again(region, bytes);
        let operand = self.view(Place::Region(region))?;
        let others = vec![(Slot::Sums, operand)];
        self.push_dx(part, header, params, workgroups, (records, None), others)?;
        if beside == Beside::Weights {
            return self.totals(operand, workgroups as u32, &layout, wanted);
        }
        // Numbered as records are.
        let kept = part.piece.axes.iter().filter(|axis| !axis.reduced);
        let kept = kept.map(|&axis| Axis { x: axis.record, ..axis });
        let axes = kept.chain([summand(1, 0)]).collect();
        self.parameters(&Partials { operand, axes }, part.piece.weight, true, wanted)
    }

    /// dweight and dbias from so many parts.
    fn totals(&mut self, sums: Operand, parts: u32, layout: &Layout, wanted: Gradients) -> Result<()> {
        let vectors = vectors(layout);
        // One invocation a vector where barriers cost more than the few parts that it adds.
        let (lanes, columns) = match self.traits.software && parts <= self.tuning.finish_parts {
            true => (1, SMALL_WORKGROUP),
            false => (GATHER_LANES, GATHER_COLUMNS),
        };
        let across = vectors.next_power_of_two().min(columns);
        let mut header = self.header(Kernel::GradientTotals, across * lanes);
        header.lanes = lanes;
        header.unit = layout.unit;
        (header.weight, header.bias) = (false, false);
        (header.dweight, header.dbias) = (wanted.dweight, wanted.dbias);
        let mut params = self.params();
        (params.segments, params.parts) = (vectors, parts);
        params.dweight_offset = self.parameter_offset(Role::Dweight);
        params.dbias_offset = self.parameter_offset(Role::Dbias);
        params.accumulate = u32::from(wanted.accumulate);
        self.push(
            header,
            params,
            u64::from(vectors.div_ceil(across)),
            &[(Slot::SumsRead, sums)],
        )
    }
}

/// True if all elements of a segment have the same weight and the same bias, whichever of them there is.
fn has_one_weight(part: &Part<'_>) -> bool {
    part.piece.axes.iter().all(|axis| !axis.reduced || axis.weight == 0)
}

/// Bytes of the sums of the segments of a part.
fn segment_bytes(part: &Part<'_>) -> u64 {
    let records = part.piece.records();
    (records.end - records.start) * SUMS_BYTES
}

/// The vec4 of a part: dbias and dweight of every unit.
fn vectors(layout: &Layout) -> u32 {
    2 * layout.units * layout.unit.width() / 4
}
