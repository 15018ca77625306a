//! Local response normalization.

use super::push::parted;
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::geometry::Digit;
use crate::plan::layout::{Layout, Traversal, Weights};
use crate::shader::Kernel;
use crate::spec::Window;
use crate::tuning::{MAX_TRIPS, Variant};

impl Planner<'_> {
    /// Local response normalization of a piece.
    pub(super) fn window(&mut self, part: &Part<'_>, window: Window) -> Result<()> {
        self.recipe.variant = self.recipe.variant.or(Some(part.variant));
        let traversal = match part.variant {
            Variant::Column => Traversal::Columns,
            _ => Traversal::Rows,
        };
        let mut geometry = part.geometries.applied.clone();
        // A piece of one channel still has neighbours.
        if let (true, Some(axis)) = (
            geometry.reduced.is_empty(),
            part.piece.axes.iter().find(|axis| axis.reduced),
        ) {
            geometry.reduced.push(Digit {
                extent: axis.extent,
                x: axis.x,
                y: axis.y,
                weight: axis.weight,
                record: 0,
            });
        }
        // A window moves by single elements.
        let widest = match traversal {
            Traversal::Columns => self.tuning.widest_unit,
            Traversal::Rows | Traversal::SharedRows | Traversal::HeldRows => 1,
        };
        let offsets = part.bindings.offsets;
        let weights = Weights::read_if(self.whole.has_affine);
        let Some(layout) = Layout::new(&geometry, traversal, widest, weights, offsets) else {
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
        let most = (MAX_TRIPS / trips) as u32;
        let spans = wanted.max(layout.units.div_ceil(most)).min(layout.units);
        let spread = self.spread_over(&layout, (1, 1), spans);
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
