//! dx, dweight and dbias of segments that invocations hold in registers.

use super::sums::{GATHER_COLUMNS, GATHER_LANES, SUMS_BYTES};
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::plan::layout::{Layout, Traversal};
use crate::plan::steps::places::{Place, Region};
use crate::plan::{Operand, Role};
use crate::shader::{Kernel, Slot, Unit};
use crate::spec::{Gradients, Source, Statistic};
use crate::tuning::Variant;

/// The most segments that a slot of a workgroup takes one after the other: so many terms of a gradient of a weight follow each
/// other, each rounded.
const MOST_ROWS: u32 = 64;

/// How lanes share the segments.
#[derive(Clone, Copy)]
struct Lanes {
    lanes: u32,
    workgroup: u32,
}

impl Planner<'_> {
    /// True if the variant, one of those that hold segments, can make dx of a piece and, if `sums`, in the same dispatch what
    /// dweight and dbias are made of.
    pub(super) fn holds_gradients(&self, part: &Part<'_>, variant: Variant, sums: bool) -> bool {
        self.held_layout(part, sums)
            .is_some_and(|layout| self.gradient_lanes(&layout, variant, sums).is_some())
    }

    /// The walk over segments that are one run of units of four, all with the same weights.
    fn held_layout(&self, part: &Part<'_>, parameters: bool) -> Option<Layout> {
        let operation = self.operation;
        let largest = matches!(operation.statistic, Statistic::Norm { p } if p.is_infinite());
        if operation.source != Source::Input || largest || self.tuning.widest_unit < 4 {
            return None;
        }
        let layout = self.gradient_layout_of(part, Traversal::HeldRows, 4)?;
        let same_weights = layout.weight_in_unit() && layout.same_weights();
        let all_weights = operation.weight_len == layout.units * layout.unit.width();
        let weighted = !(parameters || operation.weight) || (same_weights && all_weights);
        (layout.unit == Unit::Vec4 && layout.is_one_run() && weighted).then_some(layout)
    }

    fn gradient_lanes(&self, layout: &Layout, variant: Variant, sums: bool) -> Option<Lanes> {
        let (traits, tuning) = (self.traits, self.tuning);
        let widest = traits.widest_tree();
        let (least, most, workgroup) = match variant {
            Variant::Subgroup => {
                let subgroup = traits.subgroup_size.map_or(32, |(smallest, _)| smallest);
                let workgroup = tuning.subgroup_workgroup;
                (1, subgroup.min(workgroup), Some(workgroup))
            }
            _ => (tuning.workgroup_lanes.0, tuning.workgroup_lanes.1.min(widest), None),
        };
        let (best, limit) = tuning.gradient_units;
        // Sums take as many registers as x and dy.
        let limit = if sums { limit } else { 2 * limit };
        let lanes = layout.units.div_ceil(best).next_power_of_two();
        let lanes = lanes.clamp(least, most.max(least));
        let workgroup = workgroup.unwrap_or(lanes);
        // What is reduced, where there are no subgroups; the shares of dweight and dbias, where there are several slots.
        let slots = workgroup.div_ceil(lanes);
        let memory = 8 * workgroup + 32 * if slots > 1 { workgroup } else { 1 };
        let fits = workgroup <= widest && memory <= traits.workgroup_memory;
        (lanes <= most && layout.units.div_ceil(lanes) <= limit && fits).then_some(Lanes { lanes, workgroup })
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
        let sums = wanted.dweight || wanted.dbias;
        let layout = self.held_layout(part, sums);
        let found = layout.and_then(|layout| self.gradient_lanes(&layout, variant, sums).map(|lanes| (layout, lanes)));
        let Some((layout, Lanes { lanes, workgroup })) = found else {
            bail!(
                Variant,
                "variant",
                "{variant} cannot hold segments of {} elements",
                self.whole.applied.length
            );
        };
        let slots = workgroup / lanes;
        let spread = self.spread_over(&layout, (1, 1), 1);
        let (mut header, mut params, _) = self.gradient_step(Kernel::GradientResident, &layout, spread);
        layout.resident_header(&mut header, lanes);
        header.workgroup = workgroup;
        header.reduction = self.reduction(lanes, workgroup, variant);
        header.sums = sums;
        header.rows = 1;
        if sums {
            let workgroups = (self.tuning.gradient_target / workgroup).max(1);
            header.rows = layout.groups.div_ceil(slots * workgroups).clamp(1, MOST_ROWS);
        }
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(slots * header.rows));
        let one_dimension = workgroups <= u64::from(self.traits.workgroups_per_dimension);
        header.full_groups = one_dimension && layout.groups.is_multiple_of(slots * header.rows);
        params.parts = workgroups as u32;
        if !sums {
            return self.push_dx(part, header, params, workgroups, (records, None), Vec::new());
        }
        // Two weights a vec4.
        let size = workgroups * u64::from(layout.units) * 2 * SUMS_BYTES;
        let region = self.region_again(region, size);
        let operand = self.view(Place::Region(region))?;
        self.push_dx(
            part,
            header,
            params,
            workgroups,
            (records, None),
            vec![(Slot::Sums, operand)],
        )?;
        self.totals(operand, (workgroups as u32, layout.units * 2), wanted)
    }

    /// dweight and dbias from so many parts of so many pairs of weights.
    fn totals(&mut self, sums: Operand, (parts, pairs): (u32, u32), wanted: Gradients) -> Result<()> {
        let across = pairs.next_power_of_two().min(GATHER_COLUMNS);
        let mut header = self.header(Kernel::GradientTotals, across * GATHER_LANES);
        header.lanes = GATHER_LANES;
        header.weight = false;
        (header.dweight, header.dbias) = (wanted.dweight, wanted.dbias);
        let mut params = self.params();
        (params.segments, params.parts) = (pairs, parts);
        params.dweight_offset = self.parameter_offset(Role::Dweight);
        params.dbias_offset = self.parameter_offset(Role::Dbias);
        params.accumulate = u32::from(wanted.accumulate);
        self.push(
            header,
            params,
            u64::from(pairs.div_ceil(across)),
            &[(Slot::SumsRead, sums)],
        )
    }
}
