//! Variants that take the statistics and apply them in one dispatch.

use super::places::Place;
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::plan::choose::{counted_segments, subgroup_lanes, walking_lanes, workgroup_lanes};
use crate::plan::layout::{Layout, Traversal};
use crate::shader::{Header, Kernel, Parameters, Power, Reduction, Unit};
use crate::tuning::Variant;

impl Planner<'_> {
    /// One invocation per segment, or per group of neighbouring segments.
    pub(super) fn lane(&mut self, part: &Part<'_>, traversal: Traversal, moments: Option<Place>) -> Result<()> {
        let tuning = self.tuning;
        let weighted = self.whole.has_affine;
        let layout = self.layout(part, traversal)?;
        let mut header = self.header_of(part, Kernel::Lane, tuning.lane_workgroup.0);
        layout.header(&mut header);
        let mut params = self.params();
        layout.params(&mut params);
        let mut invocations = u64::from(layout.groups);
        let elements = layout.units * layout.unit.per_segment();
        let unit_step = layout.unit.width() / layout.unit.index_width();
        let short = layout.is_one_run() && layout.units <= tuning.short_row_units && params.step_x == unit_step;
        if traversal == Traversal::Rows && short {
            header.kernel = Kernel::ShortRows;
            layout.resident_header(&mut header, 1);
            // Several segments an invocation, but not so many that few workgroups are left.
            let spare = layout.groups / (tuning.lane_workgroup.0 * tuning.lane_workgroups);
            header.rows = (tuning.short_row_elements / elements).min(spare).clamp(1, 64);
            header.hold = weighted && layout.same_weights();
            invocations = invocations.div_ceil(u64::from(header.rows));
        }
        header.workgroup = self.lane_workgroup(invocations);
        if header.kernel == Kernel::Lane
            && let Some(period) = self.aligns(&layout, self.sharing().map(|_| tuning.lane_workgroup.0))
        {
            layout.align(&mut header, period);
            header.runs = true;
            // Of every so many segments' last workgroup, few invocations may have one.
            let least = tuning.lane_workgroup.0;
            let idle = |workgroup: u32| invocations.next_multiple_of(u64::from(workgroup * period)) - invocations;
            while header.workgroup > least && idle(header.workgroup) > invocations / 16 {
                header.workgroup /= 2;
            }
        }
        let whole_units = matches!(header.unit, Unit::Mat4 | Unit::Loose) && !header.runs && !header.tail;
        let sums = matches!(header.power, Power::Square | Power::Absolute);
        header.one_chunk = header.software && whole_units && sums && layout.units <= layout.unit.chunk();
        self.share_weights(&mut header, &layout);
        let places = u64::from(header.workgroup * header.period);
        let workgroups = invocations.div_ceil(places) * u64::from(header.period);
        header.full_groups = self.fills(&layout, header.workgroup * header.period * header.rows, workgroups);
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// True if no place of the workgroups is without a segment, of which each has so many. Not so where workgroups fill two
    /// dimensions: there are some to spare then.
    pub(super) fn fills(&self, layout: &Layout, segments: u32, workgroups: u64) -> bool {
        let one_dimension = workgroups <= u64::from(self.traits.workgroups_per_dimension);
        one_dimension && layout.groups.is_multiple_of(segments)
    }

    /// How the lanes of a subgroup can share what they load of the weight, if they can.
    pub(super) fn sharing(&self) -> Option<Parameters> {
        [Parameters::Eighths, Parameters::Quarters]
            .into_iter()
            .find(|shared| self.traits.subgroup_size == shared.sharers().map(|lanes| (lanes, lanes)))
    }

    /// Lanes that walk over equal segments in step share what they load of the weight.
    pub(super) fn share_weights(&self, header: &mut Header, layout: &Layout) {
        let sixteen = matches!(layout.unit, Unit::Mat4 | Unit::Loose);
        let whole_subgroups = |shared: &Parameters| header.workgroup.is_multiple_of(shared.sharers().unwrap_or(1));
        if sixteen
            && layout.weight_in_unit()
            && layout.same_weights()
            && let Some(shared) = self.sharing().filter(whole_subgroups)
        {
            header.parameters = shared;
        }
    }

    /// A tile of columns per workgroup.
    pub(super) fn column(&mut self, part: &Part<'_>, moments: Option<Place>) -> Result<()> {
        let shape = (self.tuning.lane_workgroup.1, self.tuning.column_lanes);
        self.tile(part, Traversal::Columns, shape, moments)
    }

    /// A workgroup per segment, which is longer than its registers hold.
    fn walked(&mut self, part: &Part<'_>, moments: Option<Place>) -> Result<()> {
        let lanes = walking_lanes(self.traits, self.tuning);
        self.tile(part, Traversal::SharedRows, (lanes, lanes), moments)
    }

    /// Workgroups of so many invocations, of which so many share a segment, or a unit of columns.
    fn tile(
        &mut self,
        part: &Part<'_>,
        traversal: Traversal,
        (workgroup, lanes): (u32, u32),
        moments: Option<Place>,
    ) -> Result<()> {
        let layout = self.layout(part, traversal)?;
        let mut header = self.header_of(part, Kernel::Tile, workgroup);
        layout.header(&mut header);
        header.lanes = lanes;
        let mut params = self.params();
        layout.params(&mut params);
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(workgroup / lanes));
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// Several lanes per segment, which they hold in registers.
    pub(super) fn resident(&mut self, part: &Part<'_>, moments: Option<Place>) -> Result<()> {
        let (traits, tuning, variant) = (self.traits, self.tuning, part.variant);
        let layout = self.layout(part, Traversal::HeldRows)?;
        let segments = counted_segments(self.operation, &self.whole.applied);
        let (lanes, workgroup) = match variant {
            Variant::Subgroup => (
                subgroup_lanes(&layout, segments, traits, tuning),
                tuning.subgroup_workgroup,
            ),
            _ => match workgroup_lanes(&layout, segments, traits, tuning) {
                Some(lanes) => (Some(lanes), lanes),
                None => return self.walked(part, moments),
            },
        };
        let Some(lanes) = lanes else {
            bail!(
                Variant,
                "variant",
                "{variant} cannot hold segments of {} elements",
                self.whole.applied.length
            );
        };
        let mut header = self.header_of(part, Kernel::Resident, workgroup);
        layout.resident_header(&mut header, lanes);
        header.reduction = self.reduction(lanes, workgroup, variant);
        let slots = workgroup / lanes;
        let keeps = self.whole.has_affine && !layout.has_one_weight();
        let fours = traits.wide_integers && layout.begins_at_fours();
        // Weights are kept from one segment to a second one at least.
        if let Some(period) = self.aligns(&layout, Some(2 * slots))
            && (!keeps || layout.units >= tuning.aligned_units && !fours)
        {
            layout.align(&mut header, period);
        }
        let groups = layout.groups.div_ceil(slots * header.period);
        header.rows =
            (layout.groups / slots / tuning.lane_workgroups.max(header.period)).clamp(1, tuning.resident_rows);
        // As many for each, where that leaves some without.
        header.rows = groups.div_ceil(groups.div_ceil(header.rows));
        header.hold = self.whole.has_affine && header.rows > 1 && layout.same_weights();
        let mut params = self.params();
        layout.params(&mut params);
        let workgroups = u64::from(groups.div_ceil(header.rows)) * u64::from(header.period);
        header.full_groups = self.fills(&layout, slots * header.rows * header.period, workgroups);
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// Whether units of a walk that begins anywhere are those of memory. Where as many segments as `sharing` share what they read of
    /// the weight, the distance between those that begin alike: there have to be so many.
    fn aligns(&self, layout: &Layout, sharing: Option<u32>) -> Option<u32> {
        let possible = self.traits.aliased_writes && self.traits.storage_buffers >= 8;
        let period = layout.aligns().filter(|_| possible)?;
        let shares = self.whole.has_affine && !layout.has_one_weight() && layout.same_weights();
        match sharing.filter(|_| shares) {
            Some(sharing) => period.filter(|period| layout.groups >= sharing * period),
            None => Some(1),
        }
    }

    /// How the lanes of resident segments reduce. Subgroups are full where workgroups are whole numbers of them, and segments
    /// do not straddle them.
    pub(super) fn reduction(&self, lanes: u32, workgroup: u32, variant: Variant) -> Reduction {
        match self.traits.subgroup_size {
            Some((smallest, largest)) if smallest >= 4 && workgroup.is_multiple_of(largest) => match variant {
                Variant::Subgroup if (lanes, lanes) == (smallest, largest) => Reduction::WholeSubgroup,
                Variant::Subgroup => Reduction::Subgroup,
                _ => Reduction::Workgroup,
            },
            _ => Reduction::Tree,
        }
    }

    /// Invocations of a workgroup where each works alone: more where that leaves enough workgroups.
    pub(super) fn lane_workgroup(&self, invocations: u64) -> u32 {
        let (least, most) = self.tuning.lane_workgroup;
        let most = most.min(self.traits.widest_tree()).max(least);
        let share = invocations / u64::from(self.tuning.lane_workgroups);
        // At most as many as a workgroup can have.
        share.next_power_of_two().clamp(u64::from(least), u64::from(most)) as u32
    }
}
