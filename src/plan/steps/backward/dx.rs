//! The dispatches that write dx, and what all of the backward pass bind.

use super::Part;
use crate::error::{Result, bail};
use crate::plan::layout::{Layout, Traversal, has_columns, run_as_columns};
use crate::plan::steps::Planner;
use crate::plan::steps::places::{Place, Records};
use crate::plan::steps::push::parted;
use crate::plan::steps::split::Spread;
use crate::plan::{Operand, Role};
use crate::shader::{DxPlace, Header, Kernel, Params, Slot};
use crate::spec::Statistic;
use crate::tuning::Variant;

impl Planner<'_> {
    /// dx of a piece that holds whole segments, one invocation for each (or for four).
    pub(super) fn gradient_lane(&mut self, part: &Part<'_>, variant: Variant, records: Place) -> Result<()> {
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
        header.full_groups = self.fills(&layout, header.workgroup, workgroups);
        self.push_dx(part, header, params, workgroups, (records, None), Vec::new())
    }

    /// dx of a piece from the coefficients of its segments; none where statistics are given.
    pub(super) fn gradient_apply(
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
        let spread = self.spread_writes(&layout, across.is_some(), lanes);
        let (mut header, params, workgroups) = self.gradient_step(Kernel::GradientApply, &layout, spread);
        header.given = coefficients.is_none();
        self.push_dx(part, header, params, workgroups, (records, coefficients), Vec::new())
    }

    pub(in crate::plan::steps) fn gradient_step(
        &self,
        kernel: Kernel,
        layout: &Layout,
        spread: Spread,
    ) -> (Header, Params, u64) {
        let mut header = self.header(kernel, spread.workgroup);
        header.from_output = self.from_output;
        let (header, mut params, workgroups) = self.spread_header(header, layout, spread);
        if let Statistic::Norm { p } = self.operation.statistic {
            params.power = parted(f64::from(p) - 1.0);
        }
        (header, params, workgroups)
    }

    pub(super) fn push_dx(
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

    pub(in crate::plan::steps) fn push_gradient(
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
