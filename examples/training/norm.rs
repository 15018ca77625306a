//! Normalization of a hidden layer, forward and backward: all of this program that is about wgnorm.

use clap::ValueEnum;
use wgnorm::spec::Source;
use wgnorm::{
    Backward, BatchNorm, Bound, Context, Forward, Gradients, GroupNorm, LayerNorm, Normalization, Operation, Result,
    RmsNorm, View, wgpu,
};

/// What stands between a product and its ReLU.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// A bias alone.
    None,
    /// Batch norm; tested with running statistics.
    Batch,
    /// Layer norm.
    Layer,
    /// Group norm.
    Group,
    /// RMS norm, with a bias.
    Rms,
}

impl Norm {
    pub const ALL: [Self; 5] = [Self::None, Self::Batch, Self::Layer, Self::Group, Self::Rms];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Batch => "batch",
            Self::Layer => "layer",
            Self::Group => "group",
            Self::Rms => "rms",
        }
    }

    /// The operation on a matrix of one row a sample, to train with (statistics are saved for the backward pass, running
    /// ones updated) or to test with.
    pub fn operation(self, shape: [usize; 2], groups: usize, training: bool) -> Result<Option<Operation>> {
        Ok(Some(match self {
            Self::None => return Ok(None),
            Self::Batch if training => BatchNorm::new(&shape)
                .update_running_statistics()
                .statistics(true)
                .operation()?,
            Self::Batch => BatchNorm::new(&shape).use_running_statistics().operation()?,
            Self::Layer => LayerNorm::new(&shape).statistics(training).operation()?,
            Self::Group => GroupNorm::new(&shape, groups).statistics(training).operation()?,
            Self::Rms => RmsNorm::new(&shape).bias(true).statistics(training).operation()?,
        }))
    }
}

/// The buffers of a normalized layer.
#[derive(Clone, Copy)]
pub struct Buffers<'a> {
    pub x: &'a wgpu::Buffer,
    pub y: &'a wgpu::Buffer,
    /// The gradient of y; that of x takes its place.
    pub gradient: &'a wgpu::Buffer,
    pub weight: View<'a>,
    pub bias: View<'a>,
    pub dweight: View<'a>,
    pub dbias: View<'a>,
    pub running_mean: View<'a>,
    pub running_var: View<'a>,
}

/// Plans and binds the forward pass of an operation, and the backward pass if it saves its statistics.
pub fn bind(context: &Context, operation: &Operation, buffers: &Buffers<'_>) -> Result<(Bound, Option<Bound>)> {
    let plan = operation.plan(context)?;
    let workspace = context.create_workspace(plan.workspace_size());
    let statistics = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("statistics"),
        size: plan.segments() as u64 * 16,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let mut args = Forward::new(buffers.x, buffers.y)
        .weight(buffers.weight)
        .bias(buffers.bias)
        .workspace(&workspace);
    if operation.running.is_some() || operation.source == Source::Running {
        args = args.running(buffers.running_mean, buffers.running_var);
    }
    if !operation.statistics {
        return Ok((plan.bind(&args)?, None));
    }
    let forward = plan.bind(&args.statistics(&statistics))?;

    let plan = operation.plan_backward(context, Gradients::all())?;
    let workspace = context.create_workspace(plan.workspace_size());
    let args = Backward::new(buffers.x, buffers.gradient)
        .dx(buffers.gradient)
        .weight(buffers.weight)
        .dweight(buffers.dweight)
        .dbias(buffers.dbias)
        .statistics(&statistics)
        .workspace(&workspace);
    Ok((forward, Some(plan.bind(&args)?)))
}
