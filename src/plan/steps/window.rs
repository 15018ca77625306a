//! Local response normalization and its gradient.

use super::backward;
use super::push::parted;
use super::split::Spread;
use super::{Part, Planner};
use crate::error::{Result, bail};
use crate::geometry::{Axis, Digit, Geometry};
use crate::plan::layout::{Layout, Offsets, Traversal, Weights, has_columns};
use crate::shader::{Kernel, Params};
use crate::spec::Window;
use crate::tuning::{MAX_TRIPS, Variant};

impl Planner<'_> {
    /// Local response normalization of a piece.
    pub(super) fn window(&mut self, part: &Part<'_>, window: Window) -> Result<()> {
        self.recipe.variant = self.recipe.variant.or(Some(part.variant));
        let trips = self.window_trips(window);
        let walk = (&part.geometries.applied, &part.piece.axes[..], part.bindings.offsets);
        let (layout, spread) = self.window_walk(walk, part.variant, trips)?;
        let (header, mut params, workgroups) = self.spread_step(part, Kernel::Window, &layout, spread);
        self.window_params(window, &mut params);
        params.first_channel = part.piece.channel;
        self.push_part(part, header, params, workgroups, Vec::new())
    }

    /// The variant that makes the gradient of a piece, which has to hold all channels of its places.
    pub(super) fn gradient_window_variant(&mut self, part: &backward::Part<'_>) -> Result<Variant> {
        let geometry = &part.geometries.applied;
        let variant = match self.operation.variant {
            Some(variant @ (Variant::Lane | Variant::Column)) => variant,
            Some(variant) => bail!(
                Variant,
                "variant",
                "{variant} cannot make this gradient, but lane and column can"
            ),
            None if has_columns(geometry) => Variant::Column,
            None => Variant::Lane,
        };
        self.recipe.variant = self.recipe.variant.or(Some(variant));
        let axes = &part.piece.axes;
        let channels = |axes: &[Axis]| {
            axes.iter()
                .filter(|axis| axis.reduced)
                .map(|axis| axis.extent)
                .product::<u32>()
        };
        if channels(axes) != channels(&self.operation.axes) {
            bail!(
                Limit,
                "shape",
                "the channels of one place lie further apart than a binding of {} bytes reaches",
                self.traits.binding_size
            );
        }
        Ok(variant)
    }

    /// dx of a piece.
    pub(super) fn gradient_window(
        &mut self,
        part: &backward::Part<'_>,
        variant: Variant,
        window: Window,
    ) -> Result<()> {
        let geometry = &part.geometries.applied;
        let width = self.window_width(window);
        // A window about every element of the window, and one about the element itself.
        let trips = (width + 2) * self.window_trips(window);
        let (layout, spread) = self.window_walk((geometry, &part.piece.axes, part.offsets), variant, trips)?;
        let (header, mut params, workgroups) = self.gradient_step(Kernel::GradientWindow, &layout, spread);
        self.window_params(window, &mut params);
        params.root = parted(-f64::from(window.beta) - 1.0);
        params.rate = 2.0 * window.beta * window.scale;
        self.push_gradient(part, header, params, workgroups, Vec::new())
    }

    /// Loop iterations of one element's x_hat: every element of the window is read three times at worst, and each loop counts
    /// once more.
    pub(super) fn window_trips(&self, window: Window) -> u64 {
        3 * (self.window_width(window) + 1) + 3
    }

    /// Channels of a window, at most.
    fn window_width(&self, window: Window) -> u64 {
        (u64::from(window.left) + u64::from(window.right) + 1).min(u64::from(self.whole.applied.length))
    }

    /// The walk over the channels of a box of a tensor, of which each takes so many loop iterations.
    fn window_walk(
        &self,
        (geometry, axes, offsets): (&Geometry, &[Axis], Offsets),
        variant: Variant,
        trips: u64,
    ) -> Result<(Layout, Spread)> {
        let traversal = match variant {
            Variant::Column => Traversal::Columns,
            _ => Traversal::Rows,
        };
        let mut geometry = geometry.clone();
        // A piece of one channel still has neighbours.
        if let (true, Some(axis)) = (geometry.reduced.is_empty(), axes.iter().find(|axis| axis.reduced)) {
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
        let weights = Weights::read_if(self.whole.has_affine);
        let Some(layout) = Layout::new(&geometry, traversal, widest, weights, offsets) else {
            bail!(Variant, "variant", "the innermost axis is not a kept, contiguous one");
        };
        if trips > MAX_TRIPS {
            bail!(
                Limit,
                "size",
                "the window takes {trips} steps of an invocation, which may take {MAX_TRIPS}"
            );
        }
        let wanted = self.tuning.split_target.div_ceil(layout.groups);
        // The channels that one invocation may walk over.
        let most = (MAX_TRIPS / trips) as u32;
        let spans = wanted.max(layout.units.div_ceil(most)).min(layout.units);
        let spread = self.spread_over(&layout, (1, 1), spans);
        Ok((layout, spread))
    }

    /// What windows are told, along the walk that is in the parameters already.
    pub(super) fn window_params(&self, window: Window, params: &mut Params) {
        params.window_step = params.step_x;
        (params.window_left, params.window_right) = (window.left, window.right);
        (params.window_scale, params.window_k) = (window.scale, window.k);
        params.power = parted(-f64::from(window.beta));
        params.negative_base = match window.beta {
            beta if beta.fract() != 0.0 => 0,
            beta if beta % 2.0 == 0.0 => 1,
            _ => -1,
        };
        params.channels = self.whole.applied.length;
    }
}
