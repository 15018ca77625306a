//! Backward passes: what a caller binds, and plans.

use std::borrow::Cow;
use std::fmt;

use crate::arguments::View;
use crate::context::Context;
use crate::error::Result;
use crate::plan::{Facts, Recipe, Role, needs_backward};
use crate::ranges::Ranges;
use crate::record::{Bound, arguments, at_extent, bind, recipe_at_any_offset};
use crate::spec::{Gradients, Operation};
use crate::tuning::Variant;

/// The arguments of a backward plan.
///
/// x and dy are always given, dx, dweight and dbias where the plan's [`Gradients`] ask for them. The statistics are those
/// that the forward pass saved, if the operation was built with them, so that x_hat is the forward's; else they are taken
/// of x again. An operation with given running statistics takes those.
///
/// | view | holds | bytes |
/// |---|---|---|
/// | x, dx | f32, the planned shape, by the planned strides of x | 4 per element, gaps included |
/// | dy | f32, the planned shape, by the planned strides of y | 4 per element, gaps included |
/// | weight | f32, needed for dx | 4 per value |
/// | bias | f32, needed where gradients are made of y | 4 per value |
/// | dweight, dbias | f32, as weight and bias | 4 per value |
/// | statistics | [`Record`](crate::Record)s, one per segment | 16 per segment |
/// | sums | [`GradientSums`](crate::GradientSums), one per segment: for halves of the pass | 16 per segment |
/// | corrections | ratio and shift of batch renormalization, as the forward pass left them; needed for dx | 16 per channel |
/// | running_mean, running_var | f32, one per channel | 4 per channel |
/// | workspace | nothing that lasts | as the plan says |
///
/// Offsets, usages and views of one buffer are as [`Forward`](crate::Forward) has them. dx may be the very view of dy or
/// of x, where its strides are the same. A weight or a bias that is not needed does no harm.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Backward<'a> {
    /// The input of the forward pass, or its output, where gradients are made of that.
    pub x: View<'a>,
    /// The gradient of its output.
    pub dy: View<'a>,
    /// Where the gradient of x goes.
    pub dx: Option<View<'a>>,
    /// The weight.
    pub weight: Option<View<'a>>,
    /// The bias, where gradients are made of y.
    pub bias: Option<View<'a>>,
    /// Where the gradient of the weight goes, or is added.
    pub dweight: Option<View<'a>>,
    /// Where the gradient of the bias goes, or is added.
    pub dbias: Option<View<'a>>,
    /// The [`Record`](crate::Record)s of the forward pass.
    pub statistics: Option<View<'a>>,
    /// [`GradientSums`](crate::GradientSums) of all segments: what the first half of a backward pass over shares makes, and
    /// its second takes.
    pub sums: Option<View<'a>>,
    /// Ratio and shift of batch renormalization, as the forward pass left them.
    pub corrections: Option<View<'a>>,
    /// The given running mean.
    pub running_mean: Option<View<'a>>,
    /// The given running variance.
    pub running_var: Option<View<'a>>,
    /// Scratch memory; its contents before do not matter and are not kept.
    pub workspace: Option<View<'a>>,
    /// The extent of the outermost axis, where it differs from the planned shape's.
    pub outer_extent: Option<usize>,
}

impl<'a> Backward<'a> {
    /// Arguments with x and dy alone.
    pub fn new(x: impl Into<View<'a>>, dy: impl Into<View<'a>>) -> Self {
        Self {
            x: x.into(),
            dy: dy.into(),
            dx: None,
            weight: None,
            bias: None,
            dweight: None,
            dbias: None,
            statistics: None,
            sums: None,
            corrections: None,
            running_mean: None,
            running_var: None,
            workspace: None,
            outer_extent: None,
        }
    }

    /// Arguments with y and dy alone, for [`Gradients::from_output`]: y takes the place of x.
    pub fn from_output(y: impl Into<View<'a>>, dy: impl Into<View<'a>>) -> Self {
        Self::new(y, dy)
    }

    /// Sets the bias, which is needed where gradients are made of y.
    pub fn bias(mut self, bias: impl Into<View<'a>>) -> Self {
        self.bias = Some(bias.into());
        self
    }

    /// Sets where the gradient of x goes.
    pub fn dx(mut self, dx: impl Into<View<'a>>) -> Self {
        self.dx = Some(dx.into());
        self
    }

    /// Sets the weight.
    pub fn weight(mut self, weight: impl Into<View<'a>>) -> Self {
        self.weight = Some(weight.into());
        self
    }

    /// Sets where the gradient of the weight goes.
    pub fn dweight(mut self, dweight: impl Into<View<'a>>) -> Self {
        self.dweight = Some(dweight.into());
        self
    }

    /// Sets where the gradient of the bias goes.
    pub fn dbias(mut self, dbias: impl Into<View<'a>>) -> Self {
        self.dbias = Some(dbias.into());
        self
    }

    /// Sets the [`Record`](crate::Record)s of the forward pass.
    pub fn statistics(mut self, statistics: impl Into<View<'a>>) -> Self {
        self.statistics = Some(statistics.into());
        self
    }

    /// Sets the [`GradientSums`](crate::GradientSums) of all segments, which are made or taken.
    pub fn sums(mut self, sums: impl Into<View<'a>>) -> Self {
        self.sums = Some(sums.into());
        self
    }

    /// Sets ratio and shift of batch renormalization.
    pub fn corrections(mut self, corrections: impl Into<View<'a>>) -> Self {
        self.corrections = Some(corrections.into());
        self
    }

    /// Sets the given running mean and variance.
    pub fn running(mut self, mean: impl Into<View<'a>>, var: impl Into<View<'a>>) -> Self {
        self.running_mean = Some(mean.into());
        self.running_var = Some(var.into());
        self
    }

    /// Sets the workspace: [`BackwardPlan::workspace_size`] bytes or more.
    pub fn workspace(mut self, workspace: impl Into<View<'a>>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Sets the extent of the outermost axis, where it differs from the planned shape's. The axis must not index the
    /// weight.
    pub fn outer_extent(mut self, extent: usize) -> Self {
        self.outer_extent = Some(extent);
        self
    }

    fn view(&self, role: Role) -> Option<View<'a>> {
        match role {
            Role::X => Some(self.x),
            Role::Dy => Some(self.dy),
            Role::Dx => self.dx,
            Role::Weight => self.weight,
            Role::Dweight => self.dweight,
            Role::Dbias => self.dbias,
            Role::Statistics => self.statistics,
            Role::Sums => self.sums,
            Role::Corrections => self.corrections,
            Role::RunningMean => self.running_mean,
            Role::RunningVar => self.running_var,
            Role::Workspace => self.workspace,
            Role::Bias => self.bias,
            Role::Y | Role::Moments | Role::Merged | Role::Batches => None,
        }
    }
}

/// The backward pass of a normalization, planned for a device: see [`Operation::plan_backward`].
///
/// With g = dy weight, n the length of a segment, and sums over the segment:
///
/// | operation | dx |
/// |---|---|
/// | batch, layer, instance, group norm, z-score | `rstd (g - sum(g) / n - x_hat sum(g x_hat) / (n - ddof))` |
/// | batch norm with given statistics | `rstd g` |
/// | RMS norm | `rstd (g - x_hat sum(g x_hat) / n)` |
/// | mean-variance | as z-score, the last term times `(deviation + eps) / deviation` |
/// | Lp norm | `(g - sign(x_hat) abs(x_hat)^(p-1) sum(g x_hat)) / norm`; `g / eps` where norm < eps |
///
/// (Ioffe and Szegedy 2015, Ba, Kiros and Hinton 2016, Zhang and Sennrich 2019; PyTorch for the edges of norms.)
/// dweight is `sum(dy x_hat)` and dbias `sum(dy)` over all that a weight multiplies. All sums are in a fixed order: results
/// are the same bits at every run.
#[derive(Debug, Clone)]
pub struct BackwardPlan {
    context: Context,
    operation: Operation,
    gradients: Gradients,
    recipe: Recipe,
}

impl BackwardPlan {
    pub(crate) fn new(context: &Context, operation: &Operation, gradients: Gradients) -> Result<Self> {
        let recipe = recipe_at_any_offset(|facts| self::recipe(context, operation, gradients, facts))?;
        for step in &recipe.steps {
            context.pipeline(&step.header)?;
        }
        Ok(Self {
            context: context.clone(),
            operation: operation.clone(),
            gradients,
            recipe,
        })
    }

    /// The variant that makes dx; none for an empty tensor.
    pub fn variant(&self) -> Option<Variant> {
        self.recipe.variant
    }

    /// The operation whose gradients these are.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// What the plan makes.
    pub fn gradients(&self) -> Gradients {
        self.gradients
    }

    /// Bytes of workspace that a bind needs, 0 for none, if its views lie in buffers or at least in 256-byte blocks of
    /// their own. Others may need more: [`workspace_size_for`](Self::workspace_size_for).
    pub fn workspace_size(&self) -> u64 {
        self.recipe.workspace
    }

    /// Bytes of workspace that a bind needs at another extent of the outermost axis.
    ///
    /// # Errors
    /// As [`bind`](Self::bind) for the extent.
    pub fn workspace_size_at(&self, outer_extent: usize) -> Result<u64> {
        Ok(Self::new(
            &self.context,
            &at_extent(&self.operation, outer_extent)?,
            self.gradients,
        )?
        .workspace_size())
    }

    /// Bytes of workspace that a bind of these views needs, whatever blocks they share; their own workspace is not
    /// looked at.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), but for the workspace.
    pub fn workspace_size_for(&self, args: &Backward<'_>) -> Result<u64> {
        let operation = self.operation_for(args)?;
        let facts = self.ranges(&operation, args, 0)?.facts;
        Ok(recipe(&self.context, &operation, self.gradients, &facts)?.workspace)
    }

    /// Number of dispatches.
    pub fn dispatches(&self) -> usize {
        self.recipe.steps.len()
    }

    /// The dispatches, as data; its workspace is [`workspace_size`](Self::workspace_size).
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Checks the buffers and makes the bind groups and one small parameter buffer. The bind groups keep the buffers
    /// alive.
    ///
    /// # Errors
    /// Those of [`Plan::bind`](crate::Plan::bind), each naming the argument; see [`Backward`] for what is needed.
    pub fn bind(&self, args: &Backward<'_>) -> Result<Bound> {
        let operation = self.operation_for(args)?;
        bind(
            &self.context,
            operation.name,
            |workspace| self.ranges(&operation, args, workspace),
            |facts| recipe(&self.context, &operation, self.gradients, facts),
        )
    }

    /// Binds and records in one.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); nothing is recorded then.
    pub fn backward(&self, encoder: &mut wgpu::CommandEncoder, args: &Backward<'_>) -> Result<()> {
        self.bind(args)?.record(encoder);
        Ok(())
    }

    fn ranges<'a>(&self, operation: &Operation, args: &Backward<'a>, workspace: u64) -> Result<Ranges<'a>> {
        let needs = needs_backward(operation, self.gradients)?;
        let given = |role| args.view(role);
        let harmless = [Role::Workspace, Role::Weight, Role::Bias];
        let ranges = arguments(operation.name, needs, workspace, given, &harmless)
            .and_then(|ranges| Ranges::new(ranges, self.context.traits(), operation));
        // y takes the place of x.
        ranges.map_err(|error| match self.gradients.from_output {
            true => error.renamed("x", "y"),
            false => error,
        })
    }

    fn operation_for(&self, args: &Backward<'_>) -> Result<Cow<'_, Operation>> {
        Ok(match args.outer_extent {
            Some(extent) => Cow::Owned(at_extent(&self.operation, extent)?),
            None => Cow::Borrowed(&self.operation),
        })
    }
}

fn recipe(context: &Context, operation: &Operation, gradients: Gradients, facts: &Facts) -> Result<Recipe> {
    Recipe::backward(operation, gradients, context.traits(), context.tuning(), facts)
}

impl fmt::Display for BackwardPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} backward: {}", self.operation.name, self.recipe)
    }
}
