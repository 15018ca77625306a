//! Gradients: sums over segments and over what each weight multiplies, and dx.
//!
//! Sums of dy and of dy x_hat are taken over **cells**, the elements that have both a record and a weight in common, where
//! there are many in each: dweight and dbias, and what dx needs of its segment, are sums of those. Else they are taken twice:
//! over segments, of dy weight, and over what each weight multiplies.

mod choose;
mod dx;
mod resident;
mod sums;

use sums::Partials;

use super::places::{Place, Region};
use super::{Geometries, Planner};
use crate::error::Result;
use crate::geometry::Axis;
use crate::plan::layout::Offsets;
use crate::plan::pieces::Piece;
use crate::plan::{Operand, RECORD_BYTES, Role, SUMS_BYTES};
use crate::spec::{Gradients, Source, Stage, Statistic};
use crate::tuning::Variant;

/// The variants that hold segments in registers.
const HELD: [Variant; 2] = [Variant::Subgroup, Variant::Workgroup];

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

impl Planner<'_> {
    /// All dispatches of the backward pass, or of one half of it.
    pub(super) fn backward(&mut self, wanted: Gradients, stage: Stage) -> Result<()> {
        self.stage_inputs()?;
        let operation = self.operation;
        let blocks = self.blocks()?;
        if let Statistic::Window(window) = operation.statistic {
            let mut progress = Progress::default();
            for piece in blocks.iter().flatten() {
                let part = self.gradient_part(piece, wanted)?;
                let variant = self.gradient_window_variant(&part)?;
                if wanted.dweight || wanted.dbias {
                    // There are no records.
                    let records = Place::View(Role::Statistics);
                    self.block_parameters(std::slice::from_ref(&part), None, wanted, records, &mut progress)?;
                }
                if wanted.dx {
                    self.gradient_window(&part, variant, window)?;
                }
            }
            return self.stage_outputs();
        }
        let records = self.records_of_backward(&blocks)?;
        let mut progress = Progress::default();
        if stage == Stage::Apply {
            let region = self.region_of(self.segments(), RECORD_BYTES);
            self.coefficients_of_sums(records, Place::Region(region))?;
            progress.coefficients = Some(region);
        }
        for block in &blocks {
            let parts: Vec<_> = block
                .iter()
                .map(|piece| self.gradient_part(piece, wanted))
                .collect::<Result<_>>()?;
            match stage {
                Stage::Whole => self.block_gradients(&parts, wanted, records, &mut progress)?,
                Stage::Statistics => self.block_sums(&parts, wanted, records, &mut progress)?,
                Stage::Apply => self.block_apply(&parts, records, progress.coefficients)?,
            }
        }
        self.stage_outputs()
    }

    /// dweight, dbias and sums where there are no elements: 0.
    pub(super) fn empty_backward(&mut self, wanted: Gradients, stage: Stage) -> Result<()> {
        let parameters = self.operation.weight_len > 0 && (wanted.dweight || wanted.dbias);
        let sums = stage == Stage::Statistics && self.segments() > 0;
        if !(parameters || sums) {
            return Ok(());
        }
        self.stage_inputs()?;
        let region = self.region(SUMS_BYTES);
        let operand = self.view(Place::Region(region))?;
        let none = |extent| {
            let axis = |extent, reduced| Axis {
                extent,
                reduced,
                x: 0,
                y: 0,
                weight: u32::from(!reduced),
                record: u32::from(!reduced),
            };
            let axes = vec![axis(extent, false), axis(0, true)];
            Partials { operand, axes }
        };
        if parameters {
            self.parameters(&none(self.operation.weight_len), 0, true, wanted)?;
        }
        if sums {
            let whole = Piece::whole(self.operation);
            self.segment_sums(&none(self.segments()), &whole, false, wanted.accumulate)?;
        }
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
            self.statistics(&block, (Some(records), None), &mut parts)?;
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
                bias: match self.from_output {
                    true => self.parameter_offset(Role::Bias) + piece.weight,
                    false => 0,
                },
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
        let variant = self.gradient_variant(block, parameters && cells, wanted)?;
        self.recipe.variant = self.recipe.variant.or(Some(variant));
        let held = HELD.contains(&variant);
        if held && self.holds_gradients(&block[0], variant, parameters) {
            let first = !parameters || first_time(&mut progress.weights, block[0].piece.weight);
            let wanted = Gradients {
                accumulate: wanted.accumulate || !first,
                ..wanted
            };
            return self.gradient_resident(&block[0], variant, wanted, records, &mut progress.sums);
        }
        let fused = matches!(variant, Variant::Lane | Variant::Column) || held;
        let needs_sums = wanted.dx && !given && !fused;

        let mut of_cells = None;
        if cells && (parameters || needs_sums) {
            of_cells = Some(self.cell_sums(block, records, progress)?);
        }
        // dweight and dbias run beside dx where both wait for nothing but sums of cells and what is made of them.
        let beside_dx = of_cells.is_some() && needs_sums;
        if parameters && !beside_dx {
            self.block_parameters(block, of_cells.as_ref(), wanted, records, progress)?;
        }
        if !wanted.dx {
            return Ok(());
        }
        if held {
            let only_dx = Gradients {
                dweight: false,
                dbias: false,
                ..wanted
            };
            return self.gradient_resident(&block[0], variant, only_dx, records, &mut progress.sums);
        }
        if fused {
            return self.gradient_lane(&block[0], variant, records);
        }
        let mut coefficients = None;
        if needs_sums {
            let segments = self.segments();
            let region = *(progress.coefficients).get_or_insert_with(|| self.region_of(segments, RECORD_BYTES));
            let place = Place::Region(region);
            let (partials, weigh) = self.sums_of_segments(block, of_cells, records, progress)?;
            self.coefficients(&partials, block[0].piece, weigh, records, place)?;
            if parameters && beside_dx {
                self.block_parameters(block, Some(&partials), wanted, records, progress)?;
            }
            coefficients = Some(place);
        }
        for part in block {
            self.gradient_apply(part, variant, records, coefficients)?;
        }
        Ok(())
    }

    /// Partial sums over the cells of a block.
    fn cell_sums(&mut self, block: &[Part<'_>], records: Place, progress: &mut Progress) -> Result<Partials> {
        let axes: Vec<_> = (block[0].piece.axes.iter()).map(|axis| self.of_cell(axis)).collect();
        self.sums(block, &axes, true, records, &mut progress.sums)
    }

    /// Partial sums that those of segments are made of, and whether they are still to be multiplied with the weight.
    fn sums_of_segments(
        &mut self,
        block: &[Part<'_>],
        of_cells: Option<Partials>,
        records: Place,
        progress: &mut Progress,
    ) -> Result<(Partials, bool)> {
        match of_cells {
            Some(partials) => Ok((partials, true)),
            None => {
                let axes = block[0].piece.axes.clone();
                Ok((self.sums(block, &axes, false, records, &mut progress.sums)?, false))
            }
        }
    }

    /// dweight and dbias of a block, of the sums over its cells if there are any.
    fn block_parameters(
        &mut self,
        block: &[Part<'_>],
        of_cells: Option<&Partials>,
        wanted: Gradients,
        records: Place,
        progress: &mut Progress,
    ) -> Result<()> {
        if let Some(partials) = of_cells {
            let weight = block[0].piece.weight;
            return self.parameters(partials, weight, first_time(&mut progress.weights, weight), wanted);
        }
        for part in block {
            let axes: Vec<_> = (part.piece.axes.iter()).map(|axis| self.of_weight(axis)).collect();
            let partials = self.sums(std::slice::from_ref(part), &axes, true, records, &mut progress.sums)?;
            let weight = part.piece.weight;
            self.parameters(&partials, weight, first_time(&mut progress.weights, weight), wanted)?;
        }
        Ok(())
    }

    /// The first half: the sums over the segments of a block, for the caller, and dweight and dbias.
    fn block_sums(
        &mut self,
        block: &[Part<'_>],
        wanted: Gradients,
        records: Place,
        progress: &mut Progress,
    ) -> Result<()> {
        let of_cells = match self.takes_cells(block) {
            true => Some(self.cell_sums(block, records, progress)?),
            false => None,
        };
        if wanted.dweight || wanted.dbias {
            self.block_parameters(block, of_cells.as_ref(), wanted, records, progress)?;
        }
        let (partials, weigh) = self.sums_of_segments(block, of_cells, records, progress)?;
        self.segment_sums(&partials, block[0].piece, weigh, wanted.accumulate)
    }

    /// The second half: dx of a block from the coefficients that the sums of all shares make.
    fn block_apply(&mut self, block: &[Part<'_>], records: Place, coefficients: Option<Region>) -> Result<()> {
        for part in block {
            let variant = self.split_kind(&part.geometries.applied);
            self.recipe.variant = self.recipe.variant.or(Some(variant));
            self.gradient_apply(part, variant, records, coefficients.map(Place::Region))?;
        }
        Ok(())
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
