//! Headers and parameters that follow from the operation, and the checks that every step passes.

use super::places::{Place, Records, role_of};
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::plan::layout::{Layout, Traversal};
use crate::plan::{Operand, Role, Step};
use crate::shader::{Binding, Header, Kernel, Parameters, Params, Power, Slot, Unit};
use crate::spec::{EpsRule, RunningVariance, Statistic};

impl Planner<'_> {
    pub(super) fn header(&self, kernel: Kernel, workgroup: u32) -> Header {
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
        header.software = self.traits.software;
        header
    }

    /// The header of a kernel that reads a piece of x, and writes its y.
    pub(super) fn header_of(&self, part: &Part<'_>, kernel: Kernel, workgroup: u32) -> Header {
        let mut header = self.header(kernel, workgroup);
        header.output_in_x = part.bindings.output_in_x && kernel != Kernel::Partial;
        header
    }

    pub(super) fn params(&self) -> Params {
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
            rate: running.and_then(|update| update.rate).unwrap_or_default(),
            renorm_ratio: operation.renorm().map_or(1.0, |renorm| renorm.ratio),
            renorm_shift: operation.renorm().map_or(0.0, |renorm| renorm.shift),
            skip_non_finite: u32::from(running.is_some_and(|update| update.skip_non_finite)),
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
    pub(super) fn push_part(
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
    pub(super) fn push(
        &mut self,
        mut header: Header,
        params: Params,
        workgroups: u64,
        operands: &[(Slot, Operand)],
    ) -> Result<()> {
        let operand = |slot: Slot| match operands.iter().find(|(s, _)| *s == slot.single()) {
            Some((_, operand)) => Ok(*operand),
            None => self.view(self.resolve(Place::View(role_of(slot)))),
        };
        let buffer = |operand: Operand| match operand {
            Operand::Caller { role, .. } => self.facts.buffers[role as usize],
            Operand::Workspace { .. } => self.facts.buffers[Role::Workspace as usize],
        };
        let unit_step = header.unit.width() / header.unit.index_width();
        header.unit_steps = params.step_x == unit_step && (params.step_weight == 0 || params.step_weight == unit_step);
        header.weight_step = if header.unit_steps { params.step_weight } else { 0 };
        header.shifted =
            params.y_shift != 0 || params.bias_shift != 0 || header.kernel.writes_dx() && params.dx_shift != 0;
        let operands_of = |header: &Header| {
            (header.bindings().into_iter())
                .map(|binding| Ok((binding, operand(binding.slot)?)))
                .collect::<Result<Vec<(Binding, Operand)>>>()
        };
        let bindings = operands_of(&header)?;
        // A buffer that one binding writes can only be bound writable by the others.
        for (binding, at) in &bindings {
            if (bindings.iter()).any(|(other, there)| other.written && buffer(*there) == buffer(*at)) {
                header.shared.insert(binding.slot);
            }
        }
        self.choose_pairs(&mut header, &params);
        let bindings = operands_of(&header)?;
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

    /// Decides where elements are moved two at a time.
    fn choose_pairs(&self, header: &mut Header, params: &Params) {
        let wide = self.traits.wide_integers;
        match header.unit {
            Unit::Mat4 | Unit::Columns => header.pairs = wide,
            // Pairs are a second binding of the same elements, which have to be read alone, or be written alone.
            Unit::Loose => {
                let alone = |slot| wide && !header.shared.contains(slot);
                let even = |n: u32| n.is_multiple_of(2);
                let mut strides = params.digits.iter().map(|digit| digit.weight);
                let even = even(params.weight_offset) && even(params.bias_shift) && strides.all(even);
                header.pairs = wide && header.sixteens || alone(Slot::X);
                header.y_pairs = wide && header.kernel.writes_y() && !header.output_in_x;
                header.weight_pairs =
                    header.parameters == Parameters::Eighths && even && alone(Slot::Weight) && alone(Slot::Bias);
                // Units begin where x allows.
                header.weight_pairs &= !(header.sixteens && header.odd);
                let most = self.traits.storage_buffers as usize;
                header.weight_pairs &= header.bindings().len() <= most;
                header.y_pairs &= header.bindings().len() <= most;
                header.pairs &= header.bindings().len() <= most;
                header.fours &= header.pairs;
                header.y_fours &= header.y_pairs;
            }
            Unit::Scalar | Unit::Vec4 => {}
        }
    }

    /// The records and moments that a kernel writes, where it writes either.
    pub(super) fn outputs(&self, header: &mut Header, records: Option<Place>, moments: Option<Place>) -> Vec<Records> {
        header.running = self.updates_at_once;
        header.counts_batches = header.running && self.counts_batches();
        header.records = records.is_some();
        header.moments = moments.is_some();
        let of = |slot| move |place| Records { place, slot };
        let records = records.map(of(Slot::Records));
        records.into_iter().chain(moments.map(of(Slot::Moments))).collect()
    }

    /// The records that a kernel doing everything at once writes: only those the caller wants.
    pub(super) fn saved(&self) -> Option<Place> {
        self.operation.statistics.then_some(Place::View(Role::Statistics))
    }

    /// The walk over a piece of the kernels that write y.
    pub(super) fn layout(&self, part: &Part<'_>, traversal: Traversal) -> Result<Layout> {
        match part.geometries.whole(traversal, self.tuning, part.bindings.offsets) {
            Some(layout) => Ok(layout),
            None => bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one"),
        }
    }

    /// Adds a step of a kernel that does everything at once.
    pub(super) fn push_whole(
        &mut self,
        part: &Part<'_>,
        mut header: Header,
        mut params: Params,
        workgroups: u64,
        moments: Option<Place>,
    ) -> Result<()> {
        let items = self.outputs(&mut header, self.saved(), moments);
        let (offset, operands) = self.records(&items, &part.piece.records())?;
        params.record_offset = offset;
        self.push_part(part, header, params, workgroups, operands)
    }
}

/// A number as a sum of one of twelve bits and the rest.
pub(super) fn parted(value: f64) -> [f32; 2] {
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
