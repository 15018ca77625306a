//! Which variant the planner takes where: a map over the number and the length of segments, without running any.

use wgnorm::plan::{Facts, Recipe};
use wgnorm::spec::Operation;
use wgnorm::{Context, LayerNorm, Normalization, Variant, ZScore};

/// Segments of 2 to the power of these, and elements of a segment.
const SEGMENTS: std::ops::RangeInclusive<u32> = 0..=20;
const LENGTHS: std::ops::RangeInclusive<u32> = 2..=24;
const STEP: usize = 2;
/// Tensors of at most 2 to the power of this many elements.
const LARGEST: u32 = 26;

/// The choices for one kind of geometry.
pub struct Map {
    pub title: &'static str,
    pub cells: Vec<Cell>,
}

/// Powers of two, and what runs there.
pub struct Cell {
    pub segments: u32,
    pub length: u32,
    pub variant: Variant,
}

impl Map {
    /// The maps of segments that are rows, and of segments that are columns of a table.
    pub fn both(context: &Context) -> [Self; 2] {
        let rows = |segments, length| LayerNorm::new(&[segments, length]).operation();
        let columns = |segments, length| ZScore::new(&[length, segments], &[0]).operation();
        [
            Self::new(context, "Segments that are rows (layer_norm)", rows),
            Self::new(context, "Segments that are columns (z_score)", columns),
        ]
    }

    fn new(
        context: &Context,
        title: &'static str,
        operation: impl Fn(usize, usize) -> wgnorm::Result<Operation>,
    ) -> Self {
        let (traits, tuning) = (context.traits(), context.tuning());
        let mut cells = Vec::new();
        for segments in SEGMENTS.step_by(STEP) {
            for length in LENGTHS.step_by(STEP).filter(|length| segments + length <= LARGEST) {
                let recipe = operation(1 << segments, 1 << length)
                    .and_then(|operation| Recipe::new(&operation, traits, tuning, &Facts::default()));
                // What the device cannot take is left blank.
                if let Some(variant) = recipe.ok().and_then(|recipe| recipe.variant) {
                    cells.push(Cell {
                        segments,
                        length,
                        variant,
                    });
                }
            }
        }
        Self { title, cells }
    }
}
