//! The dispatches of each variant.

use super::choose::{Geometries, LANE_UNITS, MAX_PARTS, SMALL_WORKGROUP, choose, subgroup_lanes, workgroup_lanes};
use super::layout::{Layout, Traversal, has_columns, run_as_columns};
use super::{Facts, Operand, Recipe, Role, Step, caller};
use crate::DeviceTraits;
use crate::error::{Result, bail};
use crate::geometry::{Geometry, multiply};
use crate::shader::{Binding, Header, Kernel, Parameters, Params, Reduction, Slot, Unit};
use crate::spec::{EpsRule, Operation, RunningVariance, Source, Stage, Statistic};
use crate::tuning::{MAX_TRIPS, Tuning, Variant};

/// Bytes of one segment's moments and record.
pub const MOMENTS_BYTES: u64 = 32;
pub const RECORD_BYTES: u64 = 16;

/// Alignment of the regions of a workspace: the largest offset alignment there is.
const REGION_ALIGNMENT: u64 = 256;

pub fn plan(operation: &Operation, traits: &DeviceTraits, tuning: &Tuning, facts: &Facts) -> Result<Recipe> {
    let mut planner = Planner::new(operation, traits, tuning, facts)?;
    if planner.geometries.statistics.elements() > 0 {
        planner.plan()?;
    }
    Ok(planner.recipe)
}

/// How a dispatch is spread over a layout.
#[derive(Clone, Copy)]
struct Spread {
    lanes: u32,
    workgroup: u32,
    spans: u32,
    span_units: u32,
}

struct Planner<'a> {
    operation: &'a Operation,
    traits: &'a DeviceTraits,
    tuning: &'a Tuning,
    facts: &'a Facts,
    geometries: Geometries,
    recipe: Recipe,
}

impl<'a> Planner<'a> {
    fn new(operation: &'a Operation, traits: &'a DeviceTraits, tuning: &'a Tuning, facts: &'a Facts) -> Result<Self> {
        if traits.workgroup_invocations == 0 {
            bail!(Feature, "device", "has no compute shaders");
        }
        Ok(Self {
            operation,
            traits,
            tuning,
            facts,
            geometries: Geometries::new(operation)?,
            recipe: Recipe::default(),
        })
    }

    fn plan(&mut self) -> Result<()> {
        let operation = self.operation;
        if operation.source == Source::Running {
            let records = self.records_region();
            self.given(records)?;
            let variant = self.split_kind();
            return self.apply(variant, records);
        }
        let variant = match operation.stage {
            Stage::Apply => None,
            _ => Some(choose(operation, self.traits, self.tuning, self.facts.offsets)?),
        };
        self.recipe.variant = variant;
        match (operation.stage, variant) {
            (Stage::Apply, _) | (_, None) => {
                let records = self.records_region();
                let moments = caller(Slot::Parts);
                self.finish(moments, 1, 1, Some(records), None)?;
                self.apply(self.split_kind(), records)?;
                self.running(moments)
            }
            (Stage::Statistics, Some(variant)) => {
                let moments = caller(Slot::Moments);
                self.statistics(variant, None, Some(moments))
            }
            (Stage::Whole, Some(variant @ (Variant::Split | Variant::ColumnSplit))) => {
                let records = self.records_region();
                let moments = operation.running.map(|_| self.region(self.segments(), MOMENTS_BYTES));
                self.statistics(variant, Some(records), moments)?;
                self.apply(variant, records)?;
                moments.map_or(Ok(()), |moments| self.running(moments))
            }
            (Stage::Whole, Some(variant)) => {
                let moments = operation.running.map(|_| self.region(self.segments(), MOMENTS_BYTES));
                match variant {
                    Variant::Lane => self.lane(Traversal::Rows, moments)?,
                    Variant::Column if self.tuning.column_lanes == 1 => self.lane(Traversal::Columns, moments)?,
                    Variant::Column => self.column(moments)?,
                    _ => self.resident(variant, moments)?,
                }
                moments.map_or(Ok(()), |moments| self.running(moments))
            }
        }
    }

    fn segments(&self) -> u32 {
        self.geometries.statistics.segments
    }

    /// A new region of the workspace for `count` items of `bytes`.
    fn region(&mut self, count: u32, bytes: u64) -> Operand {
        let offset = self.recipe.workspace.next_multiple_of(REGION_ALIGNMENT);
        let size = u64::from(count) * bytes;
        self.recipe.workspace = offset + size;
        Operand::Workspace { offset, size }
    }

    /// Where records go that later steps read: the caller's buffer, or the workspace.
    fn records_region(&mut self) -> Operand {
        if self.operation.statistics && self.operation.source == Source::Input {
            return caller(Slot::Records);
        }
        self.region(self.segments(), RECORD_BYTES)
    }

    /// The variant whose application step traverses the geometry well.
    fn split_kind(&self) -> Variant {
        let geometry = &self.geometries.weighted;
        let short_runs = geometry.run() < self.tuning.run_elements && run_as_columns(geometry).is_some();
        if has_columns(geometry) || short_runs {
            Variant::ColumnSplit
        } else {
            Variant::Split
        }
    }

    fn header(&self, kernel: Kernel, workgroup: u32) -> Header {
        let operation = self.operation;
        let mut header = Header::new(kernel, workgroup);
        header.centered = operation.statistic == Statistic::MeanVariance;
        header.eps_on_deviation = operation.eps_rule == EpsRule::OnDeviation;
        header.zero_is_one = operation.eps_rule == EpsRule::ZeroIsOne;
        header.weight = operation.weight;
        header.bias = operation.bias;
        header.output_in_x = self.facts.output_in_x;
        header.dtype = operation.dtype;
        header
    }

    fn params(&self) -> Params {
        let operation = self.operation;
        let count = self.geometries.statistics.length;
        let running = operation.running;
        Params {
            segments: self.segments(),
            spans: 1,
            count,
            ddof: operation.ddof,
            eps: operation.eps,
            min_exponent: min_exponent(operation.eps, operation.eps_rule),
            rate: running.map_or(0.0, |update| update.rate),
            unbiased: u32::from(running.is_some_and(|update| update.variance == RunningVariance::Unbiased)),
            instances: running.map_or(1, |update| update.instances),
            ..Params::default()
        }
    }

    /// Adds a step; `operands` overrides where slots are not the caller's.
    fn push(
        &mut self,
        mut header: Header,
        params: Params,
        workgroups: u64,
        operands: &[(Slot, Operand)],
    ) -> Result<()> {
        let operand = |slot: Slot| {
            let given = operands.iter().find(|(s, _)| *s == slot);
            given.map_or_else(|| caller(slot), |(_, operand)| *operand)
        };
        let buffer = |operand: Operand| match operand {
            Operand::Caller(role) => self.facts.buffers[role as usize],
            Operand::Workspace { .. } => self.facts.buffers[Role::Workspace as usize],
        };
        header.pairs = header.unit == Unit::Mat4 && self.traits.wide_integers;
        header.unit_steps = params.step_x == 1 && params.step_weight <= 1;
        header.weight_step = if header.unit_steps { params.step_weight } else { 0 };
        header.shifted = params.y_shift != 0 || params.bias_shift != 0;
        let bindings = header.bindings();
        // A buffer that one binding writes can only be bound writable by the others.
        for binding in &bindings {
            let shares =
                |other: &Binding| other.written && buffer(operand(other.slot)) == buffer(operand(binding.slot));
            if bindings.iter().any(shares) {
                header.shared.insert(binding.slot);
            }
        }
        let bindings: Vec<_> = header.bindings().into_iter().map(|b| (b, operand(b.slot))).collect();
        if bindings.len() as u32 > self.traits.storage_buffers {
            bail!(
                Limit,
                "device",
                "the {} kernel binds {} storage buffers, the device allows {}",
                header.kernel.name(),
                bindings.len(),
                self.traits.storage_buffers
            );
        }
        if header.workgroup > self.traits.workgroup_invocations {
            bail!(
                Limit,
                "device",
                "the {} kernel has workgroups of {} invocations, the device allows {}",
                header.kernel.name(),
                header.workgroup,
                self.traits.workgroup_invocations
            );
        }
        let memory = header.workgroup_memory();
        if memory > self.traits.workgroup_memory {
            bail!(
                Limit,
                "device",
                "the {} kernel takes {memory} bytes of workgroup memory, the device allows {}",
                header.kernel.name(),
                self.traits.workgroup_memory
            );
        }
        let most = u64::from(self.traits.workgroups_per_dimension);
        if workgroups > most * most {
            bail!(
                Limit,
                "shape",
                "{workgroups} workgroups are more than {most} x {most}, which the device allows"
            );
        }
        self.recipe.steps.push(Step {
            header,
            params,
            workgroups,
            bindings,
        });
        Ok(())
    }

    /// Slots of records and moments for a kernel that may write either.
    fn outputs(header: &mut Header, records: Option<Operand>, moments: Option<Operand>) -> Vec<(Slot, Operand)> {
        header.records = records.is_some();
        header.moments = moments.is_some();
        let records = records.map(|operand| (Slot::Records, operand));
        records
            .into_iter()
            .chain(moments.map(|operand| (Slot::Moments, operand)))
            .collect()
    }

    /// The records that a kernel doing everything at once writes: only those the caller wants.
    fn saved(&self) -> Option<Operand> {
        self.operation.statistics.then(|| caller(Slot::Records))
    }

    fn layout(&self, geometry: &Geometry, traversal: Traversal, widest: u32, weighted: bool) -> Result<Layout> {
        match Layout::new(geometry, traversal, widest, weighted, self.facts.offsets) {
            Some(layout) => Ok(layout),
            None => bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one"),
        }
    }

    /// One invocation per segment, or per group of neighbouring segments.
    fn lane(&mut self, traversal: Traversal, moments: Option<Operand>) -> Result<()> {
        let tuning = self.tuning;
        let weighted = self.geometries.has_affine;
        let layout = self.layout(&self.geometries.weighted, traversal, tuning.widest_unit, weighted)?;
        let mut header = self.header(Kernel::Lane, tuning.lane_workgroup.0);
        layout.header(&mut header);
        let mut params = self.params();
        layout.params(&mut params);
        let mut invocations = u64::from(layout.groups);
        let elements = layout.units * layout.unit.per_segment();
        if traversal == Traversal::Rows && !header.runs && layout.units <= tuning.short_row_units && params.step_x == 1
        {
            header.kernel = Kernel::ShortRows;
            header.units = layout.units;
            header.full_lanes = true;
            // Several segments an invocation, but not so many that few workgroups are left.
            let spare = layout.groups / (tuning.lane_workgroup.0 * tuning.lane_workgroups);
            header.rows = (tuning.short_row_elements / elements).min(spare).clamp(1, 64);
            header.hold = weighted && layout.same_weights();
            invocations = invocations.div_ceil(u64::from(header.rows));
        }
        header.workgroup = self.lane_workgroup(invocations);
        // Lanes that walk over equal segments in step can share what they load of the weight.
        let eight_lanes = self.traits.subgroup_size == Some((8, 8)) && header.workgroup.is_multiple_of(8);
        if layout.unit == Unit::Mat4 && layout.weight_in_unit() && layout.same_weights() && eight_lanes {
            header.parameters = Parameters::Shared;
        }
        let outputs = Self::outputs(&mut header, self.saved(), moments);
        let workgroups = invocations.div_ceil(u64::from(header.workgroup));
        // Not so where workgroups fill two dimensions: there are some to spare then.
        let one_dimension = workgroups <= u64::from(self.traits.workgroups_per_dimension);
        let segments = u64::from(header.workgroup) * u64::from(header.rows);
        header.full_groups = one_dimension && u64::from(layout.groups).is_multiple_of(segments);
        self.push(header, params, workgroups, &outputs)
    }

    /// A tile of columns per workgroup.
    fn column(&mut self, moments: Option<Operand>) -> Result<()> {
        let weighted = self.geometries.has_affine;
        let layout = self.layout(
            &self.geometries.weighted,
            Traversal::Columns,
            self.tuning.widest_unit,
            weighted,
        )?;
        let mut header = self.header(Kernel::Column, self.tuning.lane_workgroup.1);
        layout.header(&mut header);
        header.lanes = self.tuning.column_lanes;
        let mut params = self.params();
        layout.params(&mut params);
        let outputs = Self::outputs(&mut header, self.saved(), moments);
        let columns = header.workgroup / header.lanes;
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(columns));
        self.push(header, params, workgroups, &outputs)
    }

    /// Several lanes per segment, which they hold in registers.
    fn resident(&mut self, variant: Variant, moments: Option<Operand>) -> Result<()> {
        let (traits, tuning) = (self.traits, self.tuning);
        let layout = self.layout(
            &self.geometries.weighted,
            Traversal::Rows,
            tuning.widest_unit,
            self.geometries.has_affine,
        )?;
        let (lanes, workgroup, subgroup) = match variant {
            Variant::Subgroup => (
                subgroup_lanes(layout.units, traits, tuning),
                tuning.subgroup_workgroup,
                Reduction::Subgroup,
            ),
            _ => {
                let lanes = workgroup_lanes(layout.units, traits, tuning);
                (lanes, lanes.unwrap_or_default(), Reduction::Workgroup)
            }
        };
        let Some(lanes) = lanes else {
            bail!(
                Variant,
                "variant",
                "{variant} cannot hold segments of {} elements",
                self.geometries.weighted.length
            );
        };
        let mut header = self.header(Kernel::Resident, workgroup);
        layout.header(&mut header);
        header.lanes = lanes;
        header.units = layout.units.div_ceil(lanes);
        header.full_lanes = layout.units.is_multiple_of(lanes);
        // Subgroups are full where workgroups are whole numbers of them, and segments do not straddle them.
        header.reduction = match traits.subgroup_size {
            Some((smallest, largest)) if smallest >= 4 && workgroup.is_multiple_of(largest) => subgroup,
            _ => Reduction::Tree,
        };
        let slots = workgroup / lanes;
        header.rows = (layout.groups / slots / tuning.lane_workgroups).clamp(1, tuning.resident_rows);
        header.hold = self.geometries.has_affine && header.rows > 1 && layout.same_weights();
        let mut params = self.params();
        layout.params(&mut params);
        let outputs = Self::outputs(&mut header, self.saved(), moments);
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(slots * header.rows));
        self.push(header, params, workgroups, &outputs)
    }

    /// Invocations of a workgroup where each works alone: more where that leaves enough workgroups.
    fn lane_workgroup(&self, invocations: u64) -> u32 {
        let (least, most) = self.tuning.lane_workgroup;
        let most = most.min(self.traits.widest_tree()).max(least);
        let share = invocations / u64::from(self.tuning.lane_workgroups);
        // At most as many as a workgroup can have.
        share.next_power_of_two().clamp(u64::from(least), u64::from(most)) as u32
    }

    /// How partial statistics or the application spread over a layout.
    fn spread(&self, layout: &Layout, columns: bool) -> Spread {
        let tuning = self.tuning;
        let lanes = if columns {
            1
        } else {
            tuning.split_lanes.min(self.traits.widest_tree())
        };
        // Batch invariance: as for a single segment, so that spans do not depend on their number.
        let groups = if self.operation.batch_invariant {
            1
        } else {
            layout.groups
        };
        let wanted = (tuning.split_target / lanes).div_ceil(groups);
        let most = layout.units.div_ceil(tuning.split_units * lanes);
        let least = layout.units.div_ceil(LANE_UNITS * lanes);
        // Every column of a run is a part of its own.
        let part_columns = if columns { self.geometries.statistics.run() } else { 1 };
        let spans = wanted.min(most).min(MAX_PARTS / part_columns).max(least).max(1);
        let span_units = layout.units.div_ceil(spans);
        let spans = layout.units.div_ceil(span_units);
        let workgroup = match lanes {
            1 => self.lane_workgroup(u64::from(layout.groups) * u64::from(spans)),
            _ => lanes,
        };
        Spread {
            lanes,
            workgroup,
            spans,
            span_units,
        }
    }

    /// The layout of a split variant over one of the geometries, and the columns that make up one segment.
    fn split_layout(&self, variant: Variant, geometry: &Geometry, weighted: bool) -> Result<(Layout, u32)> {
        let widest = self.tuning.widest_unit;
        if variant == Variant::Split {
            return Ok((self.layout(geometry, Traversal::Rows, widest, weighted)?, 1));
        }
        if has_columns(geometry) {
            return Ok((self.layout(geometry, Traversal::Columns, widest, weighted)?, 1));
        }
        let Some(parts) = run_as_columns(geometry) else {
            bail!(Variant, "variant", "{variant} needs segments that interleave in memory");
        };
        let columns = geometry.run();
        Ok((self.layout(&parts, Traversal::Columns, widest, weighted)?, columns))
    }

    fn spread_step(&mut self, kernel: Kernel, layout: &Layout, columns: bool) -> (Header, Params, u64) {
        let spread = self.spread(layout, columns);
        let mut header = self.header(kernel, spread.workgroup);
        layout.header(&mut header);
        header.lanes = spread.lanes;
        let mut params = self.params();
        layout.params(&mut params);
        params.spans = spread.spans;
        params.span_units = spread.span_units;
        let spans = u64::from(layout.groups) * u64::from(spread.spans);
        let workgroups = if spread.lanes > 1 {
            spans
        } else {
            spans.div_ceil(u64::from(spread.workgroup))
        };
        (header, params, workgroups)
    }

    /// Partial statistics and their finish.
    fn statistics(&mut self, variant: Variant, records: Option<Operand>, moments: Option<Operand>) -> Result<()> {
        let (layout, columns) = self.split_layout(variant, &self.geometries.statistics, false)?;
        let (mut header, mut params, workgroups) =
            self.spread_step(Kernel::Partial, &layout, variant == Variant::ColumnSplit);
        header.moments = true;
        (header.weight, header.bias) = (false, false);
        header.output_in_x = false;
        params.parts_stride = multiply(self.segments(), columns, "shape")?;
        let spans = params.spans;
        let count = multiply(multiply(spans, params.parts_stride, "shape")?, 2, "shape")? / 2;
        let parts = self.region(count, MOMENTS_BYTES);
        self.push(header, params, workgroups, &[(Slot::Moments, parts)])?;
        self.finish(parts, spans, columns, records, moments)
    }

    /// The records and moments of every segment from `spans` parts of `columns` columns each.
    fn finish(
        &mut self,
        parts: Operand,
        spans: u32,
        columns: u32,
        records: Option<Operand>,
        moments: Option<Operand>,
    ) -> Result<()> {
        let mut header = self.header(Kernel::Finish, SMALL_WORKGROUP);
        let mut params = self.params();
        params.parts = multiply(spans, columns, "shape")?;
        params.parts_group = columns;
        params.parts_stride = multiply(self.segments(), columns, "shape")?;
        let alone = params.parts <= self.tuning.finish_parts;
        header.lanes = if alone { 1 } else { SMALL_WORKGROUP };
        let mut operands = Self::outputs(&mut header, records, moments);
        operands.push((Slot::Parts, parts));
        let segments = u64::from(self.segments());
        let workgroups = if alone {
            segments.div_ceil(u64::from(SMALL_WORKGROUP))
        } else {
            segments
        };
        self.push(header, params, workgroups, &operands)
    }

    /// y from x and records.
    fn apply(&mut self, variant: Variant, records: Operand) -> Result<()> {
        let (layout, _) = self.split_layout(variant, &self.geometries.weighted, self.geometries.has_affine)?;
        let (header, params, workgroups) = self.spread_step(Kernel::Apply, &layout, variant == Variant::ColumnSplit);
        self.push(header, params, workgroups, &[(Slot::Records, records)])
    }

    /// Records from the running statistics that the caller gives.
    fn given(&mut self, records: Operand) -> Result<()> {
        let header = self.header(Kernel::Given, SMALL_WORKGROUP);
        let workgroups = u64::from(self.segments()).div_ceil(u64::from(SMALL_WORKGROUP));
        self.push(header, self.params(), workgroups, &[(Slot::Records, records)])
    }

    /// The update of the running statistics, if the operation asks for one.
    fn running(&mut self, moments: Operand) -> Result<()> {
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
        let header = self.header(Kernel::Running, SMALL_WORKGROUP);
        let mut params = self.params();
        params.segments = update.channels;
        let workgroups = u64::from(update.channels).div_ceil(u64::from(SMALL_WORKGROUP));
        self.push(header, params, workgroups, &[(Slot::Parts, moments)])
    }
}

/// The lowest exponent to which a record is scaled: from there down, eps is all of the variance, and scaling it up
/// further would only overflow.
fn min_exponent(eps: f32, rule: EpsRule) -> i32 {
    if eps == 0.0 {
        return -126;
    }
    let exponent = f64::from(eps.abs()).log2().floor() as i32;
    match rule {
        EpsRule::OnDeviation => (exponent - 20).clamp(-126, 126),
        _ => (exponent / 2 - 20).clamp(-126, 126),
    }
}

/// The single dispatch that merges `parts` moments of each segment of `operation`, in [part][segment] order.
pub fn merge(
    operation: &Operation,
    parts: u32,
    traits: &DeviceTraits,
    tuning: &Tuning,
    facts: &Facts,
) -> Result<Recipe> {
    if parts > MAX_PARTS {
        bail!(
            Limit,
            "parts",
            "{parts} are more than {MAX_PARTS}, which one workgroup may combine"
        );
    }
    let mut planner = Planner::new(operation, traits, tuning, facts)?;
    if planner.segments() > 0 {
        planner.finish(caller(Slot::Parts), parts, 1, None, Some(Operand::Caller(Role::Merged)))?;
    }
    Ok(planner.recipe)
}
