//! Plans, bound plans, and their recording: the only file that encodes.

use std::borrow::Cow;
use std::fmt;

use crate::arguments::{Forward, View};
use crate::context::{Context, Pipeline, device_result};
use crate::error::{Result, bail};
use crate::geometry;
use crate::plan::{Facts, MOMENTS_BYTES, Need, Recipe, Role, Step, needs};
use crate::ranges::{Range, Ranges};
use crate::shader::Params;
use crate::spec::{Operation, Statistic, reduce_nothing};
use crate::tuning::Variant;

/// Bytes between the parameter blocks of two steps: a multiple of the largest alignment of a uniform binding.
const PARAMS_STRIDE: u64 = 512;

/// A normalization planned for a device: kernels, dispatches and workspace are fixed and compiled.
///
/// Printing it shows them. A plan serves any number of [`bind`](Self::bind)s, and bindings at another outer extent.
/// It was compiled for tensors at aligned offsets in buffers of their own: the first bind of others may compile more.
#[derive(Debug, Clone)]
pub struct Plan {
    context: Context,
    operation: Operation,
    recipe: Recipe,
    segments: u32,
}

/// A plan with its buffers: bind groups and parameters are made, recording allocates nothing.
#[derive(Debug, Clone)]
pub struct Bound {
    label: &'static str,
    steps: Vec<BoundStep>,
}

#[derive(Debug, Clone)]
pub(crate) struct BoundStep {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub workgroups: [u32; 2],
}

impl Plan {
    pub(crate) fn new(context: &Context, operation: &Operation) -> Result<Self> {
        let recipe = recipe_at_any_offset(|facts| operation.recipe(context, facts))?;
        for step in &recipe.steps {
            context.pipeline(&step.header)?;
        }
        Ok(Self {
            context: context.clone(),
            operation: operation.clone(),
            segments: operation.segments()?,
            recipe,
        })
    }

    /// The variant that runs; none where there is nothing to reduce: an empty tensor, given statistics or moments.
    pub fn variant(&self) -> Option<Variant> {
        self.recipe.variant
    }

    /// The operation that was planned.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Number of segments of the planned shape: of the records (16 bytes each) and moments (32 bytes each).
    pub fn segments(&self) -> usize {
        self.segments as usize
    }

    /// Bytes of workspace that a bind needs, 0 for none, if its views lie in buffers or at least in 256-byte blocks of
    /// their own (x and y may share theirs). Others may need more, and so may another outer extent:
    /// [`workspace_size_for`](Self::workspace_size_for).
    pub fn workspace_size(&self) -> u64 {
        self.recipe.workspace
    }

    /// Bytes of workspace that a bind needs at another extent of the outermost axis.
    ///
    /// # Errors
    /// As [`bind`](Self::bind) for the extent.
    pub fn workspace_size_at(&self, outer_extent: usize) -> Result<u64> {
        Ok(Self::new(&self.context, &at_extent(&self.operation, outer_extent)?)?.workspace_size())
    }

    /// Bytes of workspace that a bind of these views needs, whatever blocks they share; their own workspace is not
    /// looked at.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), but for the workspace.
    pub fn workspace_size_for(&self, args: &Forward<'_>) -> Result<u64> {
        let operation = self.operation_for(args)?;
        if operation.elements()? == 0 {
            return Ok(0);
        }
        let ranges = self.ranges(&operation, args, 0)?;
        Ok(operation.recipe(&self.context, &ranges.facts)?.workspace)
    }

    fn operation_for(&self, args: &Forward<'_>) -> Result<Cow<'_, Operation>> {
        Ok(match args.outer_extent {
            Some(extent) => Cow::Owned(at_extent(&self.operation, extent)?),
            None => Cow::Borrowed(&self.operation),
        })
    }

    /// Number of dispatches.
    pub fn dispatches(&self) -> usize {
        self.recipe.steps.len()
    }

    /// The dispatches, as data; its workspace is [`workspace_size`](Self::workspace_size).
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Checks the buffers and makes the bind groups and one small parameter buffer. The bind groups keep the
    /// buffers alive.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) or [`Overflow`](crate::ErrorKind::Overflow) for an outer extent,
    /// [`Device`](crate::ErrorKind::Device) if the device refuses a pipeline or a bind group, and
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument), [`Usage`](crate::ErrorKind::Usage),
    /// [`Size`](crate::ErrorKind::Size), [`Alignment`](crate::ErrorKind::Alignment),
    /// [`Overlap`](crate::ErrorKind::Overlap), [`Limit`](crate::ErrorKind::Limit), each naming the argument; see
    /// [`Forward`] for what is needed.
    pub fn bind(&self, args: &Forward<'_>) -> Result<Bound> {
        let operation = self.operation_for(args)?;
        if operation.elements()? == 0 {
            return Ok(Bound::empty(operation.name));
        }
        bind(
            &self.context,
            operation.name,
            |workspace| self.ranges(&operation, args, workspace),
            |facts| operation.recipe(&self.context, facts),
        )
    }

    fn ranges<'a>(&self, operation: &Operation, args: &Forward<'a>, workspace: u64) -> Result<Ranges<'a>> {
        // y always has a value, and a workspace that is not needed does no harm.
        let harmless = [Role::Workspace, Role::Y];
        let given = |role| args.view(role);
        let ranges = arguments(operation.name, needs(operation)?, workspace, given, &harmless)?;
        Ranges::new(ranges, self.context.traits(), operation)
    }

    /// Binds and records in one.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); nothing is recorded then.
    pub fn forward(&self, encoder: &mut wgpu::CommandEncoder, args: &Forward<'_>) -> Result<()> {
        self.bind(args)?.record(encoder);
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation.name, self.recipe)
    }
}

/// The recipe for views at the starts of their buffers, with the workspace that those at odd offsets need too.
pub(crate) fn recipe_at_any_offset(recipe: impl Fn(&Facts) -> Result<Recipe>) -> Result<Recipe> {
    let mut aligned = recipe(&Facts::default())?;
    // Tensors at odd offsets are walked element by element, which may take more parts.
    let mut odd = Facts::default();
    odd.offsets[Role::X as usize] = 1;
    // A forced variant may only run at aligned offsets.
    if let Ok(other) = recipe(&odd) {
        aligned.workspace = aligned.workspace.max(other.workspace);
    }
    Ok(aligned)
}

/// The operation with another extent of the outermost axis.
pub(crate) fn at_extent(operation: &Operation, extent: usize) -> Result<Operation> {
    let mut operation = operation.clone();
    let Some(axis) = operation.axes.first_mut() else {
        bail!(Shape, "outer_extent", "a scalar has no outermost axis");
    };
    if axis.weight > 0 {
        bail!(
            Shape,
            "outer_extent",
            "the outermost axis indexes the weight, its extent is fixed"
        );
    }
    axis.extent = match u32::try_from(extent) {
        Ok(extent) => extent,
        Err(_) => bail!(Overflow, "outer_extent", "{extent} does not fit 32 bits"),
    };
    if let (false, Some(running)) = (axis.reduced, &mut operation.running) {
        running.instances = axis.extent;
    }
    geometry::product(operation.axes.iter().map(|axis| axis.extent), "outer_extent")?;
    Ok(operation)
}

/// The views that a call needs, of those it gives, with their sizes; the workspace too, if it is not 0 bytes. Views that
/// are given without need are refused, unless they do no `harm`.
pub(crate) fn arguments<'a>(
    name: &str,
    mut needs: Vec<Need>,
    workspace: u64,
    given: impl Fn(Role) -> Option<View<'a>>,
    harmless: &[Role],
) -> Result<Vec<Range<'a>>> {
    if workspace > 0 {
        needs.push(Need {
            role: Role::Workspace,
            bytes: workspace,
            read: true,
            written: true,
        });
    }
    let needless = |role: &Role| !harmless.contains(role) && needs.iter().all(|need| need.role != *role);
    if let Some(role) = (Role::ALL.into_iter().filter(needless)).find(|role| given(*role).is_some()) {
        bail!(Argument, role.name(), "is given, but {name} was planned without it");
    }
    let range = |need: Need| match given(need.role) {
        Some(view) => Ok(Range { need, view }),
        None => bail!(
            Argument,
            need.role.name(),
            "is missing: {name} needs {} bytes of it",
            need.bytes
        ),
    };
    needs.into_iter().map(range).collect()
}

/// Binds views that `ranges` checks for a workspace of so many bytes, to the recipe that the facts about them make.
pub(crate) fn bind<'a>(
    context: &Context,
    label: &'static str,
    ranges: impl Fn(u64) -> Result<Ranges<'a>>,
    recipe: impl Fn(&Facts) -> Result<Recipe>,
) -> Result<Bound> {
    // The facts decide the workspace, which is checked in turn. One in the buffer of weight and bias, which kernels
    // then write, may have these staged, and has to be larger.
    let mut workspace = 0;
    loop {
        let ranges = ranges(workspace)?;
        let recipe = recipe(&ranges.facts)?;
        if recipe.workspace <= workspace {
            return Bound::new(context, label, &recipe, &ranges);
        }
        workspace = recipe.workspace;
    }
}

impl Bound {
    /// Steps that were bound elsewhere.
    pub(crate) fn of(label: &'static str, steps: Vec<BoundStep>) -> Self {
        Self { label, steps }
    }

    fn empty(label: &'static str) -> Self {
        Self {
            label,
            steps: Vec::new(),
        }
    }

    fn new(context: &Context, label: &'static str, recipe: &Recipe, ranges: &Ranges<'_>) -> Result<Self> {
        if recipe.steps.is_empty() {
            return Ok(Self::empty(label));
        }
        let device = context.device();
        let pipelines: Vec<_> = (recipe.steps.iter())
            .map(|step| context.pipeline(&step.header))
            .collect::<Result<_>>()?;
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let params = params_buffer(device, label, &recipe.steps);
        let most = context.traits().workgroups_per_dimension;
        let mut steps = Vec::with_capacity(recipe.steps.len());
        for (i, (step, pipeline)) in recipe.steps.iter().zip(pipelines).enumerate() {
            steps.push(BoundStep {
                bind_group: bind_group(
                    device,
                    label,
                    step,
                    &pipeline,
                    &params,
                    i as u64 * PARAMS_STRIDE,
                    ranges,
                )?,
                pipeline: pipeline.pipeline,
                workgroups: fold(step.workgroups, most),
            });
        }
        device_result(scope)?;
        Ok(Self { label, steps })
    }

    /// Records the dispatches in a compute pass of their own.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        if self.steps.is_empty() {
            return;
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(self.label),
            timestamp_writes: None,
        });
        self.record_in(&mut pass);
    }

    /// Records the dispatches in a compute pass of the caller's, whose pipeline and bind group 0 they replace.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.push_debug_group(self.label);
        for step in &self.steps {
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &step.bind_group, &[]);
            pass.dispatch_workgroups(step.workgroups[0], step.workgroups[1], 1);
        }
        pass.pop_debug_group();
    }

    /// Number of dispatches.
    pub fn dispatches(&self) -> usize {
        self.steps.len()
    }
}

/// Workgroups in two dimensions, at least as many as asked for: the kernels ignore those beyond.
pub(crate) fn fold(workgroups: u64, most: u32) -> [u32; 2] {
    let x = workgroups.min(u64::from(most)).max(1);
    [x as u32, workgroups.div_ceil(x) as u32]
}

fn params_buffer(device: &wgpu::Device, label: &str, steps: &[Step]) -> wgpu::Buffer {
    let mut bytes = vec![0u8; steps.len() * PARAMS_STRIDE as usize];
    for (block, step) in bytes.chunks_exact_mut(PARAMS_STRIDE as usize).zip(steps) {
        block[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&step.params));
    }
    wgpu::util::DeviceExt::create_buffer_init(
        device,
        &wgpu::util::BufferInitDescriptor {
            label: Some(&format!("wgnorm {label} parameters")),
            contents: &bytes,
            usage: wgpu::BufferUsages::UNIFORM,
        },
    )
}

fn bind_group(
    device: &wgpu::Device,
    label: &str,
    step: &Step,
    pipeline: &Pipeline,
    params: &wgpu::Buffer,
    params_offset: u64,
    ranges: &Ranges<'_>,
) -> Result<wgpu::BindGroup> {
    let resource = |buffer, offset, size| {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: std::num::NonZeroU64::new(size),
        })
    };
    let mut entries = vec![wgpu::BindGroupEntry {
        binding: 0,
        resource: resource(params, params_offset, size_of::<Params>() as u64),
    }];
    for (binding, operand) in &step.bindings {
        let (buffer, offset, size) = ranges.resolve(*operand)?;
        entries.push(wgpu::BindGroupEntry {
            binding: binding.slot.binding(),
            resource: resource(buffer, offset, size),
        });
    }
    Ok(device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(label),
        layout: &pipeline.layout,
        entries: &entries,
    }))
}

/// Merges moments: those of parts of segments to those of the segments, as sync batch norm does after every device
/// has taken the [statistics](Operation::plan_statistics) of its share.
///
/// ```text
/// mean = mean_a + d n_b / n,   m2 = m2_a + m2_b + d^2 n_a n_b / n,   d = mean_b - mean_a
/// ```
///
/// (Chan, Golub and LeVeque 1983), in the order of the parts, whatever their counts.
///
/// ```no_run
/// use wgnorm::{BatchNorm, Context, Forward, Merge, View, wgpu};
///
/// /// The moments of 64 channels over two shares of a batch, and of both together.
/// fn moments(
///     context: &Context,
///     encoder: &mut wgpu::CommandEncoder,
///     shares: [&wgpu::Buffer; 2],
///     parts: &wgpu::Buffer,
///     merged: &wgpu::Buffer,
/// ) -> wgnorm::Result<()> {
///     let statistics = BatchNorm::new(&[8, 64, 28, 28]).plan_statistics(context)?;
///     let workspace = context.create_workspace(statistics.workspace_size());
///     for (part, x) in shares.into_iter().enumerate() {
///         // 64 moments of 8 words each: parts begin at multiples of 256 bytes.
///         let moments = View::new(parts).offset(part as u64 * 64 * 8);
///         statistics.forward(encoder, &Forward::new(x, x).moments(moments).workspace(&workspace))?;
///     }
///     Merge::new(64, 2).plan(context)?.bind(parts, merged)?.record(encoder);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    segments: usize,
    parts: usize,
    statistic: Statistic,
}

/// A [`Merge`] planned for a device.
#[derive(Debug, Clone)]
pub struct MergePlan {
    context: Context,
    operation: Operation,
    parts: u32,
}

impl Merge {
    /// Merges `parts` sets of the moments of `segments` segments.
    pub fn new(segments: usize, parts: usize) -> Self {
        Self {
            segments,
            parts,
            statistic: Statistic::MeanVariance,
        }
    }

    /// Merges the moments that [`LpNorm`](crate::LpNorm) takes with this p: sums of powers, or the largest magnitudes.
    pub fn norm(mut self, p: f32) -> Self {
        self.statistic = Statistic::Norm { p };
        self
    }

    /// Plans the merge.
    ///
    /// # Errors
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow), [`Parameter`](crate::ErrorKind::Parameter) for no parts.
    pub fn plan(&self, context: &Context) -> Result<MergePlan> {
        let parts = geometry::extents(&[self.parts, self.segments], "parts")?[0];
        if parts == 0 {
            bail!(Parameter, "parts", "is 0, at least one set of moments is needed");
        }
        let plan = MergePlan {
            context: context.clone(),
            operation: Operation {
                statistic: self.statistic,
                ..reduce_nothing("merge", self.segments)?
            },
            parts,
        };
        for step in &plan.recipe(&Facts::default())?.steps {
            context.pipeline(&step.header)?;
        }
        Ok(plan)
    }
}

impl MergePlan {
    fn recipe(&self, facts: &Facts) -> Result<Recipe> {
        let (traits, tuning) = (self.context.traits(), self.context.tuning());
        Recipe::merge(&self.operation, self.parts, traits, tuning, facts)
    }

    /// Binds `moments`, in `[part][segment]` order (32 bytes each), and where the `merged` ones go, one per segment,
    /// each view at a multiple of 256 bytes.
    ///
    /// # Errors
    /// As [`Plan::bind`].
    pub fn bind<'a>(&self, moments: impl Into<View<'a>>, merged: impl Into<View<'a>>) -> Result<Bound> {
        let bytes = u64::from(self.operation.axes[0].extent) * MOMENTS_BYTES;
        let range = |role, view, bytes, written: bool| Range {
            need: Need {
                role,
                bytes,
                read: !written,
                written,
            },
            view,
        };
        let ranges = vec![
            range(Role::Moments, moments.into(), bytes * u64::from(self.parts), false),
            range(Role::Merged, merged.into(), bytes, true),
        ];
        let ranges = Ranges::new(ranges, self.context.traits(), &self.operation)?;
        let recipe = self.recipe(&ranges.facts)?;
        if recipe.workspace > 0 {
            bail!(
                Alignment,
                "moments",
                "and merged have to begin at multiples of {} bytes, in blocks of their own",
                self.context.traits().storage_alignment
            );
        }
        Bound::new(&self.context, self.operation.name, &recipe, &ranges)
    }
}
