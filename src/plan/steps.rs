//! The dispatches of each variant.

use std::ops::Range;

use super::choose::{Choice, Geometries, LANE_UNITS, MAX_PARTS, SMALL_WORKGROUP, subgroup_lanes, workgroup_lanes};
use super::layout::{Layout, Offsets, Traversal, has_columns, run_as_columns};
use super::pieces::{Piece, RECORD_ALIGNMENT, blocks};
use super::{Facts, MOMENTS_BYTES, Need, Operand, RECORD_BYTES, Recipe, Role, Step, needs};
use crate::DeviceTraits;
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry, dense_strides, multiply};
use crate::shader::{Binding, Header, Kernel, Parameters, Params, Power, Reduction, Slot, Unit};
use crate::spec::{EpsRule, Operation, RunningVariance, Source, Stage, Statistic, Window};
use crate::tuning::{MAX_TRIPS, Tuning, Variant};

/// Alignment of the regions of a workspace: the largest offset alignment there is.
const REGION_ALIGNMENT: u64 = Role::BLOCK as u64;

pub fn plan(operation: &Operation, traits: &DeviceTraits, tuning: &Tuning, facts: &Facts) -> Result<Recipe> {
    let mut planner = Planner::new(operation, traits, tuning, facts, needs(operation)?)?;
    if planner.whole.statistics.elements() > 0 {
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

/// A view or a region as a step names it: all of it, or the part that a piece binds.
#[derive(Debug, Clone, Copy)]
enum Place {
    View(Role),
    Region(Region),
}

/// A range of the workspace.
#[derive(Debug, Clone, Copy)]
struct Region {
    offset: u64,
    size: u64,
}

/// Records that a dispatch reads or writes, among those of a view or region.
#[derive(Debug, Clone, Copy)]
struct Records {
    place: Place,
    slot: Slot,
}

/// What is bound of x and y for one piece.
struct Bindings {
    x: Operand,
    y: Option<Operand>,
    /// y lies in the binding of x.
    output_in_x: bool,
    offsets: Offsets,
}

/// A piece of the tensor with what follows from it.
struct Part<'p> {
    piece: &'p Piece,
    geometries: Geometries,
    bindings: Bindings,
    variant: Variant,
}

struct Planner<'a> {
    operation: &'a Operation,
    traits: &'a DeviceTraits,
    tuning: &'a Tuning,
    facts: &'a Facts,
    needs: Vec<Need>,
    /// Where views lie that are staged.
    staged: Vec<(Role, Region)>,
    /// Of the whole tensor.
    whole: Geometries,
    recipe: Recipe,
}

impl<'a> Planner<'a> {
    fn new(
        operation: &'a Operation,
        traits: &'a DeviceTraits,
        tuning: &'a Tuning,
        facts: &'a Facts,
        needs: Vec<Need>,
    ) -> Result<Self> {
        if traits.workgroup_invocations == 0 {
            bail!(Feature, "device", "has no compute shaders");
        }
        let takes_none = matches!(operation.statistic, Statistic::Window(_)) || operation.source == Source::Running;
        if takes_none && operation.stage != Stage::Whole {
            bail!(
                Parameter,
                "stage",
                "{} takes no statistics here: there are no stages",
                operation.name
            );
        }
        Ok(Self {
            operation,
            traits,
            tuning,
            facts,
            needs,
            staged: Vec::new(),
            whole: Geometries::new(&operation.axes, operation.weight || operation.bias)?,
            recipe: Recipe::default(),
        })
    }

    fn plan(&mut self) -> Result<()> {
        self.stage_inputs()?;
        let operation = self.operation;
        let blocks = blocks(
            operation,
            self.facts,
            self.traits.binding_size,
            self.traits.storage_alignment,
        )?;
        match operation.statistic {
            Statistic::Window(window) => {
                for piece in blocks.iter().flatten() {
                    self.window(&self.part(piece, true)?, window)?;
                }
            }
            _ if operation.source == Source::Running => {
                let records = self.region_of(self.segments(), RECORD_BYTES);
                self.given(records)?;
                for piece in blocks.iter().flatten() {
                    self.apply(&self.part(piece, true)?, Place::Region(records))?;
                }
            }
            _ if operation.stage == Stage::Apply => {
                let records = self.records_place();
                self.records_of_moments(records)?;
                for piece in blocks.iter().flatten() {
                    self.apply(&self.part(piece, true)?, records)?;
                }
                self.running(Place::View(Role::Moments))?;
            }
            _ => self.normalize(&blocks)?,
        }
        self.stage_outputs()
    }

    /// Statistics of x, and, unless they are all that is asked for, what is made with them.
    fn normalize(&mut self, blocks: &[Vec<Piece>]) -> Result<()> {
        let operation = self.operation;
        let moments = match operation.stage {
            Stage::Statistics => Some(Place::View(Role::Moments)),
            _ => operation
                .running
                .map(|_| Place::Region(self.region_of(self.segments(), MOMENTS_BYTES))),
        };
        // Regions serve one block after the other.
        let (mut records, mut parts) = (None, None);
        for block in blocks {
            let entire = block.len() == 1;
            let block: Vec<_> = block
                .iter()
                .map(|piece| self.part(piece, entire))
                .collect::<Result<_>>()?;
            let part = &block[0];
            self.recipe.variant = self.recipe.variant.or(Some(part.variant));
            let splits = matches!(part.variant, Variant::Split | Variant::ColumnSplit);
            match (operation.stage, splits) {
                (Stage::Statistics, _) => self.statistics(&block, None, moments, &mut parts)?,
                (_, true) => {
                    let records = *records.get_or_insert_with(|| self.records_place());
                    self.statistics(&block, Some(records), moments, &mut parts)?;
                    for part in &block {
                        self.apply(part, records)?;
                    }
                }
                (_, false) => match part.variant {
                    Variant::Lane => self.lane(part, Traversal::Rows, moments)?,
                    Variant::Column if self.tuning.column_lanes == 1 => {
                        self.lane(part, Traversal::Columns, moments)?;
                    }
                    Variant::Column => self.column(part, moments)?,
                    _ => self.resident(part, moments)?,
                },
            }
        }
        match moments {
            Some(moments) if operation.stage == Stage::Whole => self.running(moments),
            _ => Ok(()),
        }
    }

    /// A piece with its geometry, bindings and variant; `entire` if it holds whole segments.
    fn part<'p>(&self, piece: &'p Piece, entire: bool) -> Result<Part<'p>> {
        let geometries = Geometries::new(&piece.axes, self.whole.has_affine)?;
        let bindings = self.bindings(piece)?;
        let choice = Choice {
            operation: self.operation,
            geometries: &geometries,
            traits: self.traits,
            tuning: self.tuning,
            offsets: bindings.offsets,
            entire,
        };
        let operation = self.operation;
        let variant = match choice.choose(&self.whole.applied) {
            // There is nothing to choose where y is all that is left to make.
            _ if operation.stage == Stage::Apply || operation.source == Source::Running => {
                self.split_kind(&geometries.applied)
            }
            // A forced variant may not run the last, smaller piece.
            Err(_) if piece.x > 0 => {
                let free = &Operation {
                    variant: None,
                    ..operation.clone()
                };
                Choice {
                    operation: free,
                    ..choice
                }
                .choose(&self.whole.applied)?
            }
            variant => variant?,
        };
        Ok(Part {
            piece,
            geometries,
            bindings,
            variant,
        })
    }

    /// What is bound of x and y: each by itself, or both together where they share a block of one buffer.
    fn bindings(&self, piece: &Piece) -> Result<Bindings> {
        let facts = self.facts;
        let element = self.operation.dtype.bytes();
        let block = u64::from(self.traits.storage_alignment) / element;
        let at = |role: Role| u64::from(facts.offsets[role as usize]);
        let shift = |range: Range<u64>, by: u64| range.start + by..range.end + by;
        let bound = |role, range: &Range<i64>| {
            // Ranges are counted from an aligned place.
            let start = range.start - range.start.rem_euclid(block as i64);
            let size = (range.end - start) as u64 * element;
            let operand = Operand::Caller {
                role,
                start: start * element as i64,
                size,
            };
            (operand, start)
        };
        let signed = |range: Range<u64>| range.start as i64..range.end as i64;
        let reads = signed(shift(piece.reads.clone(), at(Role::X)));
        let writes = signed(shift(piece.writes(), at(Role::Y)));
        let first = at(Role::X) as i64 + piece.x as i64;
        let parameter = |role: Role| match facts.staged.contains(role) {
            true => piece.weight,
            false => facts.offsets[role as usize] + piece.weight,
        };
        let (x, x_start) = bound(Role::X, &reads);
        let mut bindings = Bindings {
            x,
            y: None,
            output_in_x: false,
            offsets: Offsets {
                x: (first - x_start) as u32,
                y: 0,
                weight: parameter(Role::Weight),
                bias: parameter(Role::Bias),
            },
        };
        if self.operation.stage == Stage::Statistics {
            return Ok(bindings);
        }
        let (y, y_start) = bound(Role::Y, &writes);
        (bindings.y, bindings.offsets.y) = (Some(y), (writes.start - y_start) as u32);
        if let Some(apart) = facts.apart {
            // y as counted from where x is.
            let moved = at(Role::X) as i64 + apart - at(Role::Y) as i64;
            let writes = writes.start + moved..writes.end + moved;
            let blocks = |range: &Range<i64>| {
                let block = block as i64;
                range.start.div_euclid(block)..(range.end - 1).div_euclid(block) + 1
            };
            let (a, b) = (blocks(&reads), blocks(&writes));
            if a.start < b.end && b.start < a.end {
                let union = reads.start.min(writes.start)..reads.end.max(writes.end);
                let (x, start) = bound(Role::X, &union);
                bindings.x = x;
                (bindings.y, bindings.output_in_x) = (None, true);
                (bindings.offsets.x, bindings.offsets.y) = ((first - start) as u32, (writes.start - start) as u32);
            }
        }
        Ok(bindings)
    }

    /// Copies to the workspace what kernels cannot bind where it is, and makes room for what they write.
    fn stage_inputs(&mut self) -> Result<()> {
        for need in self.needs.clone() {
            if !self.facts.staged.contains(need.role) {
                continue;
            }
            let region = self.region(need.bytes);
            if need.read {
                self.copy(Place::View(need.role), Place::Region(region), need)?;
            }
            self.staged.push((need.role, region));
        }
        Ok(())
    }

    /// Copies from the workspace what was staged and written.
    fn stage_outputs(&mut self) -> Result<()> {
        for (role, region) in std::mem::take(&mut self.staged) {
            let need = self.needs.iter().find(|need| need.role == role && need.written);
            if let Some(&need) = need {
                self.copy(Place::Region(region), Place::View(role), need)?;
            }
        }
        Ok(())
    }

    /// Copies all of a view, in as many dispatches as bindings ask for.
    fn copy(&mut self, from: Place, to: Place, need: Need) -> Result<()> {
        let block = u64::from(self.traits.storage_alignment / 4);
        let words = need.bytes / 4;
        let most = (self.traits.binding_size / 4).saturating_sub(block) / block * block;
        let most = most.clamp(block, 1 << 30);
        for first in (0..words).step_by(most as usize) {
            let count = most.min(words - first);
            let header = self.header(Kernel::Copy, SMALL_WORKGROUP);
            let mut params = self.params();
            let bound = |place| {
                let before = match place {
                    Place::View(role) => u64::from(self.facts.offsets[role as usize]),
                    Place::Region(_) => 0,
                };
                let offset = (before + first) % block;
                let start = before + first - offset;
                Ok((offset as u32, self.range(place, start * 4, (offset + count) * 4)?))
            };
            let ((from_offset, from), (to_offset, to)) = (bound(from)?, bound(to)?);
            params.units = count as u32;
            (params.x_offset, params.y_offset) = (from_offset, to_offset);
            let workgroups = count.div_ceil(u64::from(SMALL_WORKGROUP));
            self.push(header, params, workgroups, &[(Slot::From, from), (Slot::To, to)])?;
        }
        Ok(())
    }

    fn segments(&self) -> u32 {
        self.whole.statistics.segments
    }

    /// A new region of the workspace.
    fn region(&mut self, size: u64) -> Region {
        let offset = self.recipe.workspace.next_multiple_of(REGION_ALIGNMENT);
        self.recipe.workspace = offset + size;
        Region { offset, size }
    }

    /// A new region for `count` items of `bytes`.
    fn region_of(&mut self, count: u32, bytes: u64) -> Region {
        self.region(u64::from(count) * bytes)
    }

    /// Where records go that later steps read: the caller's buffer, or the workspace.
    fn records_place(&mut self) -> Place {
        if self.operation.statistics && self.operation.source == Source::Input {
            return Place::View(Role::Statistics);
        }
        Place::Region(self.region_of(self.segments(), RECORD_BYTES))
    }

    /// A view, or the region where it is staged.
    fn resolve(&self, place: Place) -> Place {
        match place {
            Place::View(role) => (self.staged.iter().find(|(staged, _)| *staged == role))
                .map_or(place, |(_, region)| Place::Region(*region)),
            Place::Region(_) => place,
        }
    }

    /// All of a view or region.
    fn view(&self, place: Place) -> Result<Operand> {
        let bytes = match place {
            Place::View(role) => {
                let need = self.needs.iter().find(|need| need.role == role);
                let Some(need) = need else {
                    bail!(Argument, role.name(), "is missing");
                };
                u64::from(self.facts.offsets[role as usize]) * 4 + need.bytes
            }
            Place::Region(region) => region.size,
        };
        self.range(place, 0, bytes)
    }

    /// Bytes from `start` on of a view or region, as far as the device can bind them.
    fn range(&self, place: Place, start: u64, size: u64) -> Result<Operand> {
        let name = match place {
            Place::View(role) => role.name(),
            Place::Region(_) => "workspace",
        };
        if size > self.traits.binding_size {
            bail!(
                Limit,
                name,
                "a binding of {size} bytes is beyond the device's {} (max_storage_buffer_binding_size)",
                self.traits.binding_size
            );
        }
        Ok(match place {
            Place::View(role) => Operand::Caller {
                role,
                start: start as i64,
                size,
            },
            Place::Region(region) => Operand::Workspace {
                offset: region.offset + start,
                size,
            },
        })
    }

    /// The operands of records and moments of `records`, and those before the first in their bindings.
    fn records(&self, items: &[Records], records: &Range<u64>) -> Result<(u32, Vec<(Slot, Operand)>)> {
        let first = records.start - records.start % u64::from(RECORD_ALIGNMENT);
        let mut operands = Vec::with_capacity(items.len());
        for item in items {
            let bytes = match item.slot {
                Slot::Records => RECORD_BYTES,
                _ => MOMENTS_BYTES,
            };
            let (start, size) = (first * bytes, (records.end - first) * bytes);
            operands.push((item.slot, self.range(self.resolve(item.place), start, size)?));
        }
        Ok(((records.start - first) as u32, operands))
    }

    /// The variant whose application step traverses the geometry well.
    fn split_kind(&self, geometry: &Geometry) -> Variant {
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
        header.power = match operation.statistic {
            Statistic::Norm { p: 1.0 } => Power::Absolute,
            Statistic::Norm { p } if p.is_infinite() => Power::Maximum,
            Statistic::Norm { p } if p != 2.0 => Power::Any,
            _ => Power::Square,
        };
        header.eps_rule = operation.eps_rule;
        header.weight = operation.weight;
        header.bias = operation.bias;
        header.dtype = operation.dtype;
        header
    }

    /// The header of a kernel that reads a piece of x, and writes its y.
    fn header_of(&self, part: &Part<'_>, kernel: Kernel, workgroup: u32) -> Header {
        let mut header = self.header(kernel, workgroup);
        header.output_in_x = part.bindings.output_in_x && kernel != Kernel::Partial;
        header
    }

    fn params(&self) -> Params {
        let operation = self.operation;
        let count = self.whole.statistics.length;
        let running = operation.running;
        let mut params = Params {
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
        };
        if let Statistic::Norm { p } = operation.statistic {
            params.power = parted(f64::from(p));
            params.root = parted(1.0 / f64::from(p));
        }
        params
    }

    /// Adds a step of a kernel that reads x.
    fn push_part(
        &mut self,
        part: &Part<'_>,
        header: Header,
        params: Params,
        workgroups: u64,
        operands: Vec<(Slot, Operand)>,
    ) -> Result<()> {
        let mut operands = operands;
        operands.push((Slot::X, part.bindings.x));
        operands.extend(part.bindings.y.map(|y| (Slot::Y, y)));
        self.push(header, params, workgroups, &operands)
    }

    /// Adds a step; slots without an operand are views of the caller's.
    fn push(
        &mut self,
        mut header: Header,
        params: Params,
        workgroups: u64,
        operands: &[(Slot, Operand)],
    ) -> Result<()> {
        let operand = |slot: Slot| match operands.iter().find(|(s, _)| *s == slot) {
            Some((_, operand)) => Ok(*operand),
            None => self.view(self.resolve(Place::View(role_of(slot)))),
        };
        let buffer = |operand: Operand| match operand {
            Operand::Caller { role, .. } => self.facts.buffers[role as usize],
            Operand::Workspace { .. } => self.facts.buffers[Role::Workspace as usize],
        };
        header.pairs = header.unit == Unit::Mat4 && self.traits.wide_integers;
        header.unit_steps = params.step_x == 1 && params.step_weight <= 1;
        header.weight_step = if header.unit_steps { params.step_weight } else { 0 };
        header.shifted = params.y_shift != 0 || params.bias_shift != 0;
        let bindings = (header.bindings().into_iter())
            .map(|binding| Ok((binding, operand(binding.slot)?)))
            .collect::<Result<Vec<(Binding, Operand)>>>()?;
        // A buffer that one binding writes can only be bound writable by the others.
        for (binding, at) in &bindings {
            if (bindings.iter()).any(|(other, there)| other.written && buffer(*there) == buffer(*at)) {
                header.shared.insert(binding.slot);
            }
        }
        let operands = bindings.into_iter().map(|(_, operand)| operand);
        let bindings: Vec<_> = header.bindings().into_iter().zip(operands).collect();
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

    /// The records and moments that a kernel writes, where it writes either.
    fn outputs(header: &mut Header, records: Option<Place>, moments: Option<Place>) -> Vec<Records> {
        header.records = records.is_some();
        header.moments = moments.is_some();
        let of = |slot| move |place| Records { place, slot };
        let records = records.map(of(Slot::Records));
        records.into_iter().chain(moments.map(of(Slot::Moments))).collect()
    }

    /// The records that a kernel doing everything at once writes: only those the caller wants.
    fn saved(&self) -> Option<Place> {
        self.operation.statistics.then_some(Place::View(Role::Statistics))
    }

    /// The walk over a piece of the kernels that write y.
    fn layout(&self, part: &Part<'_>, traversal: Traversal) -> Result<Layout> {
        match part.geometries.whole(traversal, self.tuning, part.bindings.offsets) {
            Some(layout) => Ok(layout),
            None => bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one"),
        }
    }

    /// Adds a step of a kernel that does everything at once.
    fn push_whole(
        &mut self,
        part: &Part<'_>,
        mut header: Header,
        mut params: Params,
        workgroups: u64,
        moments: Option<Place>,
    ) -> Result<()> {
        let items = Self::outputs(&mut header, self.saved(), moments);
        let (offset, operands) = self.records(&items, &part.piece.records())?;
        params.record_offset = offset;
        self.push_part(part, header, params, workgroups, operands)
    }

    /// One invocation per segment, or per group of neighbouring segments.
    fn lane(&mut self, part: &Part<'_>, traversal: Traversal, moments: Option<Place>) -> Result<()> {
        let tuning = self.tuning;
        let weighted = self.whole.has_affine;
        let layout = self.layout(part, traversal)?;
        let mut header = self.header_of(part, Kernel::Lane, tuning.lane_workgroup.0);
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
        let workgroups = invocations.div_ceil(u64::from(header.workgroup));
        // Not so where workgroups fill two dimensions: there are some to spare then.
        let one_dimension = workgroups <= u64::from(self.traits.workgroups_per_dimension);
        let segments = u64::from(header.workgroup) * u64::from(header.rows);
        header.full_groups = one_dimension && u64::from(layout.groups).is_multiple_of(segments);
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// A tile of columns per workgroup.
    fn column(&mut self, part: &Part<'_>, moments: Option<Place>) -> Result<()> {
        let layout = self.layout(part, Traversal::Columns)?;
        let mut header = self.header_of(part, Kernel::Column, self.tuning.lane_workgroup.1);
        layout.header(&mut header);
        header.lanes = self.tuning.column_lanes;
        let mut params = self.params();
        layout.params(&mut params);
        let columns = header.workgroup / header.lanes;
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(columns));
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// Several lanes per segment, which they hold in registers.
    fn resident(&mut self, part: &Part<'_>, moments: Option<Place>) -> Result<()> {
        let (traits, tuning, variant) = (self.traits, self.tuning, part.variant);
        let layout = self.layout(part, Traversal::Rows)?;
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
                self.whole.applied.length
            );
        };
        let mut header = self.header_of(part, Kernel::Resident, workgroup);
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
        header.hold = self.whole.has_affine && header.rows > 1 && layout.same_weights();
        let mut params = self.params();
        layout.params(&mut params);
        let workgroups = u64::from(layout.groups).div_ceil(u64::from(slots * header.rows));
        self.push_whole(part, header, params, workgroups, moments)
    }

    /// Invocations of a workgroup where each works alone: more where that leaves enough workgroups.
    fn lane_workgroup(&self, invocations: u64) -> u32 {
        let (least, most) = self.tuning.lane_workgroup;
        let most = most.min(self.traits.widest_tree()).max(least);
        let share = invocations / u64::from(self.tuning.lane_workgroups);
        // At most as many as a workgroup can have.
        share.next_power_of_two().clamp(u64::from(least), u64::from(most)) as u32
    }

    /// How partial statistics (of `part_columns` parts side by side) or the application spread over a layout.
    fn spread(&self, layout: &Layout, columns: bool, part_columns: u32) -> Spread {
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
        let spans = wanted.min(most).min(MAX_PARTS / part_columns).max(least).max(1);
        self.spread_over(layout, lanes, spans)
    }

    /// The spread of a layout over about so many spans.
    fn spread_over(&self, layout: &Layout, lanes: u32, spans: u32) -> Spread {
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

    fn spread_step(&self, part: &Part<'_>, kernel: Kernel, layout: &Layout, spread: Spread) -> (Header, Params, u64) {
        let mut header = self.header_of(part, kernel, spread.workgroup);
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

    /// The walk of partial statistics over a piece, and the parts side by side that make up one segment. Parts are
    /// numbered within the block: [record of the block][column].
    fn partial_layout(&self, part: &Part<'_>, columns: Option<u32>) -> Result<Layout> {
        let geometry = Geometry::for_statistics(&numbered_within(&part.piece.axes)?)?;
        let (geometry, traversal) = match columns {
            None => (geometry, Traversal::Rows),
            Some(_) if has_columns(&geometry) => (geometry, Traversal::Columns),
            Some(columns) => match run_as_columns(&geometry) {
                Some(mut parts) => {
                    let (run, kept) = match parts.kept.split_last_mut() {
                        Some(split) => split,
                        None => bail!(Variant, "variant", "there is no run to take apart"),
                    };
                    run.record = 1;
                    kept.iter_mut().for_each(|digit| digit.record *= columns);
                    (parts, Traversal::Columns)
                }
                None => bail!(Variant, "variant", "segments do not interleave in memory"),
            },
        };
        let layout = Layout::new(
            &geometry,
            traversal,
            self.tuning.widest_unit,
            false,
            part.bindings.offsets,
        );
        match layout {
            Some(layout) => Ok(layout),
            None => bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one"),
        }
    }

    /// The moments, and the records, of the segments of a block: partial statistics of its pieces, and their finish.
    fn statistics(
        &mut self,
        block: &[Part<'_>],
        records: Option<Place>,
        moments: Option<Place>,
        region: &mut Option<Region>,
    ) -> Result<()> {
        let columns = common_columns(block).filter(|_| block[0].variant == Variant::ColumnSplit);
        let part_columns = columns.unwrap_or(1);
        let mut walks = Vec::with_capacity(block.len());
        let mut spans = 0u32;
        for part in block {
            let layout = self.partial_layout(part, columns)?;
            let spread = self.spread(&layout, columns.is_some(), part_columns);
            walks.push((part, layout, spread, spans));
            spans = multiply(spans + spread.spans, 1, "shape")?;
        }
        let segments = block[0].geometries.statistics.segments;
        let stride = multiply(segments, part_columns, "shape")?;
        let count = multiply(multiply(spans, stride, "shape")?, 2, "shape")? / 2;
        let parts = *region.get_or_insert_with(|| self.region_of(count, MOMENTS_BYTES));
        // The first block is the largest, but its segments may have fewer spans.
        let size = u64::from(count) * MOMENTS_BYTES;
        let parts = match size <= parts.size {
            true => Region { size, ..parts },
            false => self.region(size),
        };
        for (part, layout, spread, first_span) in walks {
            let (mut header, mut params, workgroups) = self.spread_step(part, Kernel::Partial, &layout, spread);
            header.moments = true;
            (header.weight, header.bias) = (false, false);
            params.parts_stride = stride;
            params.first_span = first_span;
            let operands = vec![(Slot::Moments, self.view(Place::Region(parts))?)];
            self.push_part(part, header, params, workgroups, operands)?;
        }
        let moments_and_records = (records, moments);
        self.finish(
            Place::Region(parts),
            (spans, part_columns),
            block[0].piece,
            moments_and_records,
        )
    }

    /// The records and moments of the segments of a block from `spans` parts of `columns` columns each.
    fn finish(
        &mut self,
        parts: Place,
        (spans, columns): (u32, u32),
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
            false,
            Offsets::default(),
        );
        if let Some(layout) = &layout {
            layout.header(&mut header);
            layout.params(&mut params);
        }
        params.parts = multiply(spans, columns, "shape")?;
        if params.parts > MAX_PARTS {
            bail!(
                Limit,
                "shape",
                "{} parts of a segment are more than {MAX_PARTS}, which one workgroup may combine",
                params.parts
            );
        }
        params.parts_group = columns;
        params.parts_stride = multiply(params.segments, columns, "shape")?;
        let alone = params.parts <= self.tuning.finish_parts;
        header.lanes = if alone { 1 } else { SMALL_WORKGROUP };
        let items = Self::outputs(&mut header, records, moments);
        let (offset, mut operands) = self.records(&items, &piece.records())?;
        params.record_offset = offset;
        operands.push((Slot::Parts, self.view(self.resolve(parts))?));
        let segments = u64::from(params.segments);
        let workgroups = if alone {
            segments.div_ceil(u64::from(SMALL_WORKGROUP))
        } else {
            segments
        };
        self.push(header, params, workgroups, &operands)
    }

    /// Records from the moments that the caller gives.
    fn records_of_moments(&mut self, records: Place) -> Result<()> {
        let header = self.header(Kernel::Finish, SMALL_WORKGROUP);
        let most = self.traits.binding_size / MOMENTS_BYTES;
        let most = (most - most % u64::from(RECORD_ALIGNMENT)).max(1);
        let segments = u64::from(self.segments());
        for first in (0..segments).step_by(most as usize) {
            let range = first..segments.min(first + most);
            let mut header = header;
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

    /// y of a piece from x and records.
    fn apply(&mut self, part: &Part<'_>, records: Place) -> Result<()> {
        let geometry = &part.geometries.applied;
        let across = match part.variant {
            Variant::ColumnSplit if has_columns(geometry) => Some(geometry.clone()),
            Variant::ColumnSplit => run_as_columns(geometry),
            _ => None,
        };
        let (geometry, traversal) = match &across {
            Some(parts) => (parts, Traversal::Columns),
            None => (geometry, Traversal::Rows),
        };
        let (widest, weighted) = (self.tuning.widest_unit, self.whole.has_affine);
        let Some(layout) = Layout::new(geometry, traversal, widest, weighted, part.bindings.offsets) else {
            bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
        };
        let spread = self.spread(&layout, across.is_some(), 1);
        let (header, mut params, workgroups) = self.spread_step(part, Kernel::Apply, &layout, spread);
        let items = [Records {
            place: records,
            slot: Slot::Records,
        }];
        let (offset, operands) = self.records(&items, &part.piece.records())?;
        params.record_offset = offset;
        self.push_part(part, header, params, workgroups, operands)
    }

    /// Records from the running statistics that the caller gives.
    fn given(&mut self, records: Region) -> Result<()> {
        let header = self.header(Kernel::Given, SMALL_WORKGROUP);
        let workgroups = u64::from(self.segments()).div_ceil(u64::from(SMALL_WORKGROUP));
        let operands = [(Slot::Records, self.view(Place::Region(records))?)];
        self.push(header, self.params(), workgroups, &operands)
    }

    /// The update of the running statistics, if the operation asks for one.
    fn running(&mut self, moments: Place) -> Result<()> {
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
        let operands = [(Slot::Parts, self.view(self.resolve(moments))?)];
        self.push(header, params, workgroups, &operands)
    }

    /// Local response normalization of a piece.
    fn window(&mut self, part: &Part<'_>, window: Window) -> Result<()> {
        self.recipe.variant = self.recipe.variant.or(Some(part.variant));
        let traversal = match part.variant {
            Variant::Column => Traversal::Columns,
            _ => Traversal::Rows,
        };
        let geometry = &part.geometries.applied;
        // A window moves by single elements.
        let widest = match traversal {
            Traversal::Columns => self.tuning.widest_unit,
            Traversal::Rows => 1,
        };
        let offsets = part.bindings.offsets;
        let Some(layout) = Layout::new(geometry, traversal, widest, self.whole.has_affine, offsets) else {
            bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
        };
        let channels = self.whole.applied.length;
        let width = (u64::from(window.left) + u64::from(window.right) + 1).min(u64::from(channels));
        // Every element of the window is read three times at worst, and each loop counts once more.
        let trips = 3 * (width + 1) + 2;
        if trips > MAX_TRIPS {
            bail!(
                Limit,
                "size",
                "a window of {width} channels is more than one invocation may walk over"
            );
        }
        let wanted = self.tuning.split_target.div_ceil(layout.groups);
        // The channels that one invocation may walk over.
        let most = (MAX_TRIPS / trips).min(u64::from(LANE_UNITS)) as u32;
        let spans = wanted.max(layout.units.div_ceil(most)).min(layout.units);
        let spread = self.spread_over(&layout, 1, spans);
        let (header, mut params, workgroups) = self.spread_step(part, Kernel::Window, &layout, spread);
        (params.window_left, params.window_right) = (window.left, window.right);
        (params.window_scale, params.window_k) = (window.scale, window.k);
        params.power = parted(-f64::from(window.beta));
        params.negative_base = match window.beta {
            beta if beta.fract() != 0.0 => 0,
            beta if beta % 2.0 == 0.0 => 1,
            _ => -1,
        };
        params.first_channel = part.piece.channel;
        params.channels = channels;
        self.push_part(part, header, params, workgroups, Vec::new())
    }
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

/// The slot's view, where it is a view of the caller's.
fn role_of(slot: Slot) -> Role {
    match slot {
        Slot::X | Slot::From => Role::X,
        Slot::Y | Slot::To => Role::Y,
        Slot::Weight => Role::Weight,
        Slot::Bias => Role::Bias,
        Slot::Records => Role::Statistics,
        Slot::Moments | Slot::Parts => Role::Moments,
        Slot::RunningMean => Role::RunningMean,
        Slot::RunningVar => Role::RunningVar,
    }
}

/// A number as a sum of one of twelve bits and the rest.
fn parted(value: f64) -> [f32; 2] {
    let high = f32::from_bits((value as f32).to_bits() & 0xffff_f000);
    match high.is_finite() {
        true => [high, (value - f64::from(high)) as f32],
        false => [0.0; 2],
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
        EpsRule::OnDeviation | EpsRule::AtLeast => (exponent - 20).clamp(-126, 126),
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
    let need = |role, parts: u32, read| Need {
        role,
        bytes: u64::from(operation.axes[0].extent) * MOMENTS_BYTES * u64::from(parts),
        read,
        written: !read,
    };
    let needs = vec![need(Role::Moments, parts, true), need(Role::Merged, 1, false)];
    let mut planner = Planner::new(operation, traits, tuning, facts, needs)?;
    if planner.segments() > 0 {
        planner.stage_inputs()?;
        let whole = Piece::whole(operation);
        let merged = Place::View(Role::Merged);
        planner.finish(Place::View(Role::Moments), (parts, 1), &whole, (None, Some(merged)))?;
        planner.stage_outputs()?;
    }
    Ok(planner.recipe)
}

/// The variants that can run `operation`, the cheapest to compile first.
pub fn candidates(
    operation: &Operation,
    traits: &DeviceTraits,
    tuning: &Tuning,
    facts: &Facts,
) -> Result<Vec<Variant>> {
    let planner = Planner::new(operation, traits, tuning, facts, needs(operation)?)?;
    if planner.whole.statistics.elements() == 0 {
        return Ok(vec![Variant::Split]);
    }
    let blocks = blocks(operation, facts, traits.binding_size, traits.storage_alignment)?;
    let block = &blocks[0];
    let geometries = Geometries::new(&block[0].axes, planner.whole.has_affine)?;
    let choice = Choice {
        operation,
        geometries: &geometries,
        traits,
        tuning,
        offsets: planner.bindings(&block[0])?.offsets,
        entire: block.len() == 1,
    };
    Ok(choice.candidates())
}
