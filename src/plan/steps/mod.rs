//! The dispatches of each variant.

mod backward;
mod fused;
mod places;
mod push;
mod split;
mod window;

use super::choose::{Choice, Geometries, SMALL_WORKGROUP};
use super::layout::Traversal;
use super::pieces::{Piece, blocks};
use super::{Facts, MOMENTS_BYTES, Need, RECORD_BYTES, Recipe, Role, needs, needs_backward};
use crate::DeviceTraits;
use crate::error::{Result, bail};
use crate::spec::{Gradients, Operation, Source, Stage, Statistic};
use crate::tuning::{Tuning, Variant};
use places::{Bindings, Place, Region};
use split::{Parts, Settled};

pub fn plan(operation: &Operation, traits: &DeviceTraits, tuning: &Tuning, facts: &Facts) -> Result<Recipe> {
    let mut planner = Planner::new(operation, traits, tuning, facts, needs(operation)?)?;
    if planner.whole.statistics.elements() > 0 {
        planner.plan()?;
    }
    Ok(planner.recipe)
}

/// The dispatches that make the gradients of `operation`.
pub fn backward(
    operation: &Operation,
    gradients: Gradients,
    traits: &DeviceTraits,
    tuning: &Tuning,
    facts: &Facts,
) -> Result<Recipe> {
    let needs = needs_backward(operation, gradients)?;
    // But to undo it, the bias has no part in it; and its halves walk over what the whole does.
    let stage = operation.stage;
    let unbiased = Operation {
        bias: operation.bias && gradients.from_output,
        weight: operation.weight && (gradients.dx || gradients.from_output || stage == Stage::Statistics),
        stage: Stage::Whole,
        ..operation.clone()
    };
    let mut planner = Planner::new(&unbiased, traits, tuning, facts, needs)?;
    planner.from_output = gradients.from_output;
    match planner.whole.statistics.elements() {
        0 => planner.empty_backward(gradients, stage)?,
        _ => planner.backward(gradients, stage)?,
    }
    Ok(planner.recipe)
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
        let parts = Parts {
            place: Place::View(Role::Moments),
            spans: parts,
            columns: 1,
        };
        planner.finish(&parts, &whole, (None, Some(merged)))?;
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
        pieces: block.len(),
    };
    Ok(choice.candidates())
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
    /// x_hat is made of y, which is bound in the place of x.
    from_output: bool,
    /// Where the records lie that take y to x_hat, once they are made.
    inverse: Option<Region>,
    /// What settles segments updates the running statistics too.
    updates_at_once: bool,
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
            from_output: false,
            inverse: None,
            updates_at_once: false,
            whole: Geometries::new(&operation.axes, operation.weight || operation.bias)?,
            recipe: Recipe::default(),
        })
    }

    /// The tensor in blocks of whole segments, of pieces that bindings hold.
    fn blocks(&self) -> Result<Vec<Vec<Piece>>> {
        let (traits, facts) = (self.traits, self.facts);
        blocks(self.operation, facts, traits.binding_size, traits.storage_alignment)
    }

    fn plan(&mut self) -> Result<()> {
        self.stage_inputs()?;
        let operation = self.operation;
        let blocks = self.blocks()?;
        match operation.statistic {
            Statistic::Window(window) => {
                for piece in blocks.iter().flatten() {
                    self.window(&self.part(piece, 1)?, window)?;
                }
            }
            _ if operation.source == Source::Running => {
                let records = self.region_of(self.segments(), RECORD_BYTES);
                self.given(records)?;
                for piece in blocks.iter().flatten() {
                    self.apply(&self.part(piece, 1)?, Settled::Records(Place::Region(records)))?;
                }
            }
            _ if operation.stage == Stage::Apply => {
                let records = self.records_place();
                self.records_of_moments(records)?;
                self.renorm(records, &(0..u64::from(self.segments())))?;
                for piece in blocks.iter().flatten() {
                    self.apply(&self.part(piece, 1)?, Settled::Records(records))?;
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
        self.updates_at_once = self.can_update_at_once(blocks);
        let moments = match operation.stage {
            Stage::Statistics => Some(Place::View(Role::Moments)),
            _ => (operation.running.filter(|_| !self.updates_at_once))
                .map(|_| Place::Region(self.region_of(self.segments(), MOMENTS_BYTES))),
        };
        // Regions serve one block after the other.
        let (mut records, mut region) = (None, None);
        for block in blocks {
            let block: Vec<_> = block
                .iter()
                .map(|piece| self.part(piece, block.len()))
                .collect::<Result<_>>()?;
            let part = &block[0];
            self.recipe.variant = self.recipe.variant.or(Some(part.variant));
            let splits = matches!(part.variant, Variant::Split | Variant::ColumnSplit);
            match (operation.stage, splits) {
                (Stage::Statistics, _) => self.statistics(&block, (None, moments), &mut region)?,
                (_, true) => {
                    let parts = self.partial(&block, &mut region)?;
                    if blocks.len() == 1 && block.len() == 1 && self.merges(part, &parts, moments) {
                        self.apply(part, Settled::Parts(parts))?;
                        continue;
                    }
                    let records = *records.get_or_insert_with(|| self.records_place());
                    self.finish(&parts, part.piece, (Some(records), moments))?;
                    self.renorm(records, &part.piece.records())?;
                    for part in &block {
                        self.apply(part, Settled::Records(records))?;
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

    /// A piece with its geometry, bindings and variant; one of `pieces` of the same segments.
    fn part<'p>(&self, piece: &'p Piece, pieces: usize) -> Result<Part<'p>> {
        let geometries = Geometries::new(&piece.axes, self.whole.has_affine)?;
        let bindings = self.bindings(piece)?;
        let choice = Choice {
            operation: self.operation,
            geometries: &geometries,
            traits: self.traits,
            tuning: self.tuning,
            offsets: bindings.offsets,
            pieces,
        };
        let operation = self.operation;
        let variant = match choice.choose(&self.whole.applied) {
            // There is nothing to choose where y is all that is left to make.
            _ if operation.stage == Stage::Apply || operation.source == Source::Running => {
                self.split_kind(&geometries.applied)
            }
            // A forced variant may not run the last, smaller piece. (Only y is broadcast along no axis.)
            Err(_) if piece.y > 0 => {
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

    fn segments(&self) -> u32 {
        self.whole.statistics.segments
    }
}
