//! One case on a device, twice, with everything that is written poisoned before.

use super::case::Case;
use super::transfer::{create, download, upload};
use crate::error::{Error, ErrorKind, Result};
use crate::{Context, Forward, Plan, Record, Variant};

/// What outputs and workspace hold before each of the two runs: a NaN, and a number that would pass as a result.
const POISONS: [u32; 2] = [0x7fc0_0bad, 0xc0de_cafe];

/// Bytes that are filled with poison per write; large outputs take several.
const POISON_BLOCK: usize = 1 << 20;

/// What a device made of a [`Case`].
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The normalized tensor.
    pub y: Vec<f32>,
    /// The statistics; empty where the call takes none.
    pub records: Vec<Record>,
    /// Running means after the call, where the case has any.
    pub running_mean: Option<Vec<f32>>,
    /// Running variances after the call, where the case has any.
    pub running_var: Option<Vec<f32>>,
    /// The variant that the plan used.
    pub variant: Option<Variant>,
    /// Number of dispatches recorded.
    pub dispatches: usize,
    /// True if both runs gave the same bits, so that nothing depends on what was in outputs and workspace.
    pub bits_stable: bool,
}

/// The bits of every output of one run.
#[derive(PartialEq)]
struct Bits {
    y: Vec<u32>,
    records: Vec<u32>,
    running: Option<[Vec<u32>; 2]>,
    dispatches: usize,
}

/// Runs a case, with the planner's choice of variant or a forced one.
///
/// Uploads the inputs, fills y, statistics and workspace with poison, records, submits and reads back; then all
/// that again with another poison. Waits for the device: for programs and tests.
///
/// # Errors
/// Those of [`Case::operation`], of planning and of binding; [`ErrorKind::Device`] where the device reports a
/// validation error or runs out of memory.
pub async fn run(context: &Context, case: &Case, variant: Option<Variant>) -> Result<Outcome> {
    let mut operation = case.operation()?;
    if variant.is_some() {
        operation.variant = variant;
    }
    let plan = operation.plan(context)?;
    let [first, second] = [
        run_poisoned(context, case, &plan, POISONS[0]).await?,
        run_poisoned(context, case, &plan, POISONS[1]).await?,
    ];
    let bits_stable = first == second;
    let (running_mean, running_var) = first.running.map(|[mean, var]| (floats(mean), floats(var))).unzip();
    Ok(Outcome {
        y: floats(first.y),
        records: first.records.chunks_exact(4).map(record).collect(),
        running_mean,
        running_var,
        variant: plan.variant(),
        dispatches: first.dispatches,
        bits_stable,
    })
}

async fn run_poisoned(context: &Context, case: &Case, plan: &Plan, poison: u32) -> Result<Bits> {
    let memory = context.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = context.device().push_error_scope(wgpu::ErrorFilter::Validation);
    let bits = submit(context, case, plan, poison).await;
    match validation.pop().await.or(memory.pop().await) {
        Some(error) => Err(Error::new(ErrorKind::Device, "case", error.to_string())),
        None => bits,
    }
}

async fn submit(context: &Context, case: &Case, plan: &Plan, poison: u32) -> Result<Bits> {
    let x = upload(context, "x", &case.x);
    let optional = |name, tensor: &Option<Vec<f32>>| tensor.as_ref().map(|data| upload(context, name, data));
    let weight = optional("weight", &case.weight);
    let bias = optional("bias", &case.bias);
    let operation = plan.operation();
    let takes_statistics = operation.statistics && !case.x.is_empty();
    let y = poisoned(context, "y", case.x.len() * 4, poison);
    let records =
        (operation.statistics).then(|| poisoned(context, "statistics", plan.segments() * size_of::<Record>(), poison));
    let workspace_size = plan.workspace_size() as usize;
    let workspace = (workspace_size > 0).then(|| poisoned(context, "workspace", workspace_size, poison));
    let running =
        (case.running.as_ref()).map(|(mean, var)| [upload(context, "mean", mean), upload(context, "var", var)]);

    let mut args = Forward::new(&x, &y);
    args.weight = weight.as_ref().map(Into::into);
    args.bias = bias.as_ref().map(Into::into);
    args.statistics = records.as_ref().map(Into::into);
    args.workspace = workspace.as_ref().map(Into::into);
    if case.norm.uses_running() || operation.running.is_some() {
        args.running_mean = running.as_ref().map(|[mean, _]| mean.into());
        args.running_var = running.as_ref().map(|[_, var]| var.into());
    }
    let bound = plan.bind(&args)?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    context.queue().submit([encoder.finish()]);

    Ok(Bits {
        y: download(context, &y, 0..case.x.len()).await?,
        records: match &records {
            Some(records) if takes_statistics => download(context, records, 0..plan.segments() * 4).await?,
            _ => Vec::new(),
        },
        running: match &running {
            Some([mean, var]) => {
                let channels = case.channels().unwrap_or(0);
                Some([
                    download(context, mean, 0..channels).await?,
                    download(context, var, 0..channels).await?,
                ])
            }
            None => None,
        },
        dispatches: bound.dispatches(),
    })
}

/// A buffer full of poison.
fn poisoned(context: &Context, label: &str, bytes: usize, poison: u32) -> wgpu::Buffer {
    let buffer = create(context, label, bytes as u64);
    let size = buffer.size() as usize;
    let block = vec![poison; size.min(POISON_BLOCK) / 4];
    for start in (0..size).step_by(POISON_BLOCK) {
        let words = &block[..(size - start).min(POISON_BLOCK) / 4];
        context
            .queue()
            .write_buffer(&buffer, start as u64, bytemuck::cast_slice(words));
    }
    buffer
}

fn floats(bits: Vec<u32>) -> Vec<f32> {
    bits.into_iter().map(f32::from_bits).collect()
}

fn record(words: &[u32]) -> Record {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(words))
}
