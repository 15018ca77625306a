//! One case on a device, twice, with everything that is written poisoned before.

use super::arrangement::{Arrangement, Place, dense, places};
use super::case::Case;
use super::transfer::{create, submit_and_download, upload};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::plan::Role;
use crate::{Context, Forward, Plan, Record, Variant, View};

/// What outputs and workspace hold before each of the two runs: a NaN, and a number that would pass as a result.
pub(super) const POISONS: [u32; 2] = [0x7fc0_0bad, 0xc0de_cafe];

/// What lies between and behind tensors, with a count in the low bits.
const GUARD: u32 = 0x5eed_0000;

/// Guard words behind the last tensor of a buffer.
const GUARDS: usize = 67;

/// Bytes that are filled with poison per write; a large workspace takes several.
const POISON_BLOCK: usize = 1 << 20;

/// What a device made of a [`Case`].
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The normalized tensor, in row-major order of the case's shape.
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
    /// Words beside the outputs that the call changed.
    pub stray_writes: usize,
}

/// The bits of every output of one run.
#[derive(PartialEq)]
struct Bits {
    y: Vec<u32>,
    records: Vec<u32>,
    running: Option<[Vec<u32>; 2]>,
    dispatches: usize,
    stray_writes: usize,
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
    run_arranged(context, case, variant, Arrangement::Plain).await
}

/// As [`run`], with the tensors held in another way. The outcome is that of the case as it is: y in its order.
///
/// # Errors
/// As [`run`], and [`ErrorKind::Parameter`] if there is no such [`Arrangement::of`] the case.
pub async fn run_arranged(
    context: &Context,
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
) -> Result<Outcome> {
    let (arranged, mut limited) = match (arrangement.of(case), arrangement.context(context, case)?) {
        (Some(arranged), Some(context)) => (arranged, context),
        _ => bail!(
            Parameter,
            "arrangement",
            "{} cannot be had of {}",
            arrangement.name(),
            case.id
        ),
    };
    let mut operation = arranged.operation()?;
    if variant.is_some() {
        operation.variant = variant;
    }
    let (plan, [first, second]) = loop {
        let plan = operation.plan(&limited)?;
        let memory = Memory::new(&arranged, &plan, arrangement)?;
        match run_twice(&limited, &memory, &plan).await {
            Err(error) if error.kind() == ErrorKind::Limit => {
                limited = arrangement.relax(&limited, context).ok_or(error)?;
            }
            result => break (plan, result?),
        }
    };
    let bits_stable = first == second;
    let (running_mean, running_var) = first.running.map(|[mean, var]| (floats(mean), floats(var))).unzip();
    Ok(Outcome {
        y: floats(arrangement.restore(case, first.y)),
        records: first.records.chunks_exact(4).map(record).collect(),
        running_mean,
        running_var,
        variant: plan.variant(),
        dispatches: first.dispatches,
        bits_stable,
        stray_writes: first.stray_writes,
    })
}

/// The tensors of a case in buffers.
struct Memory {
    /// What is uploaded, but for the poison of the outputs.
    buffers: Vec<Vec<u32>>,
    views: Vec<Place>,
    /// Words of y within its view, in row-major order of its elements.
    y: Vec<usize>,
    channels: usize,
    /// Whether running statistics are bound, or only handed through.
    binds_running: bool,
    running: Option<[Vec<u32>; 2]>,
}

impl Memory {
    fn new(case: &Case, plan: &Plan, arrangement: Arrangement) -> Result<Self> {
        let operation = plan.operation();
        let words = |values: &Vec<f32>| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let strides = |given: &Option<Vec<usize>>| given.clone().unwrap_or_else(|| dense(&case.shape));
        let (x, y) = (strides(&case.input_strides), strides(&case.output_strides));
        let (x, y) = (places(&case.shape, &x), places(&case.shape, &y));
        let span = |places: &[usize]| places.iter().max().map_or(0, |last| last + 1);
        let mut tensors = vec![(Role::X, span(&x)), (Role::Y, span(&y))];
        let parameters = [(Role::Weight, &case.weight), (Role::Bias, &case.bias)];
        for (role, tensor) in parameters {
            tensors.extend(tensor.as_ref().map(|tensor| (role, tensor.len())));
        }
        if operation.statistics {
            tensors.insert(
                3.min(tensors.len()),
                (Role::Statistics, plan.segments() * size_of::<Record>() / 4),
            );
        }
        let binds_running = case.norm.uses_running() || operation.running.is_some();
        let channels = case.channels().unwrap_or(0);
        if binds_running {
            tensors.extend([(Role::RunningMean, channels), (Role::RunningVar, channels)]);
        }
        let views = arrangement.place(case, &tensors);
        let mut buffers = guarded(&views);
        let running = case.running.as_ref().map(|(mean, var)| [words(mean), words(var)]);
        for view in &views {
            let (values, at) = match (view.role, &running) {
                (Role::X, _) => (words(&case.x), Some(&x)),
                (Role::Weight, _) => (case.weight.as_ref().map(words).unwrap_or_default(), None),
                (Role::Bias, _) => (case.bias.as_ref().map(words).unwrap_or_default(), None),
                (Role::RunningMean, Some([mean, _])) => (mean.clone(), None),
                (Role::RunningVar, Some([_, var])) => (var.clone(), None),
                _ => continue,
            };
            for (i, value) in values.into_iter().enumerate() {
                buffers[view.buffer][view.first + at.map_or(i, |at| at[i])] = value;
            }
        }
        Ok(Self {
            buffers,
            views,
            y,
            channels,
            binds_running,
            running,
        })
    }

    fn view(&self, role: Role) -> Option<&Place> {
        self.views.iter().find(|view| view.role == role)
    }

    /// The words that the call writes: buffer, and word of it.
    fn outputs(&self, role: Role) -> Vec<(usize, usize)> {
        let Some(view) = self.view(role) else {
            return Vec::new();
        };
        match role {
            Role::Y => self.y.iter().map(|word| (view.buffer, view.first + word)).collect(),
            _ => (0..view.words).map(|word| (view.buffer, view.first + word)).collect(),
        }
    }
}

/// Buffers that hold nothing but guards, as large as the views in them ask for.
pub(super) fn guarded(views: &[Place]) -> Vec<Vec<u32>> {
    let mut buffers: Vec<Vec<u32>> = Vec::new();
    for view in views {
        buffers.resize_with(buffers.len().max(view.buffer + 1), Vec::new);
        let buffer = &mut buffers[view.buffer];
        let end = buffer.len().max(view.first + view.words + GUARDS);
        let guards = buffer.len()..end;
        buffer.extend(guards.map(|i| GUARD | (i as u32 & 0xffff)));
    }
    buffers
}

async fn run_twice(context: &Context, memory: &Memory, plan: &Plan) -> Result<[Bits; 2]> {
    let [first, second] = POISONS;
    Ok([
        run_poisoned(context, memory, plan, first).await?,
        run_poisoned(context, memory, plan, second).await?,
    ])
}

async fn run_poisoned(context: &Context, memory: &Memory, plan: &Plan, poison: u32) -> Result<Bits> {
    scoped(context, submit(context, memory, plan, poison)).await
}

/// What a run gives, or what the device reports about it.
pub(super) async fn scoped<T>(context: &Context, run: impl Future<Output = Result<T>>) -> Result<T> {
    let out_of_memory = context.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = context.device().push_error_scope(wgpu::ErrorFilter::Validation);
    let result = run.await;
    match validation.pop().await.or(out_of_memory.pop().await) {
        Some(error) => Err(Error::new(ErrorKind::Device, "case", error.to_string())),
        None => result,
    }
}

async fn submit(context: &Context, memory: &Memory, plan: &Plan, poison: u32) -> Result<Bits> {
    let operation = plan.operation();
    let mut before = memory.buffers.clone();
    let in_place = match (memory.view(Role::X), memory.view(Role::Y)) {
        (Some(x), Some(y)) => (x.buffer, x.first) == (y.buffer, y.first),
        _ => false,
    };
    let (y, statistics) = (memory.outputs(Role::Y), memory.outputs(Role::Statistics));
    for &(buffer, word) in y.iter().filter(|_| !in_place).chain(&statistics) {
        before[buffer][word] = poison;
    }
    let buffers: Vec<_> = before.iter().map(|words| upload(context, "tensors", words)).collect();
    let view = |role| {
        let place = memory.view(role)?;
        Some(View::new(&buffers[place.buffer]).offset(place.first as u64))
    };
    let (Some(x), Some(output)) = (view(Role::X), view(Role::Y)) else {
        bail!(Argument, "x", "is missing");
    };
    let mut args = Forward::new(x, output);
    args.weight = view(Role::Weight);
    args.bias = view(Role::Bias);
    args.statistics = view(Role::Statistics);
    args.running_mean = view(Role::RunningMean);
    args.running_var = view(Role::RunningVar);
    let workspace_size = plan.workspace_size_for(&args)? as usize;
    let workspace = (workspace_size > 0).then(|| poisoned(context, "workspace", workspace_size, poison));
    args.workspace = workspace.as_ref().map(Into::into);
    let bound = plan.bind(&args)?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    let lens: Vec<_> = before.iter().map(Vec::len).collect();
    let mut after = submit_and_download(context, encoder, &buffers, &lens).await?;
    let take = |places: &[(usize, usize)]| places.iter().map(|&(buffer, word)| after[buffer][word]).collect();
    let running = memory.running.as_ref().map(|given| match memory.binds_running {
        true => [Role::RunningMean, Role::RunningVar].map(|role| take(&memory.outputs(role)[..memory.channels])),
        false => given.clone(),
    });
    let bits = Bits {
        y: take(&y),
        records: if memory.y.is_empty() {
            Vec::new()
        } else {
            take(&statistics)
        },
        running,
        dispatches: bound.dispatches(),
        stray_writes: 0,
    };
    let mut written = [y, statistics].concat();
    if operation.running.is_some() {
        written.extend(
            [Role::RunningMean, Role::RunningVar]
                .into_iter()
                .flat_map(|role| memory.outputs(role)),
        );
    }
    Ok(Bits {
        stray_writes: stray_writes(&before, &mut after, &written),
        ..bits
    })
}

/// Words that changed and are not among those written, which are made what they were.
pub(super) fn stray_writes(before: &[Vec<u32>], after: &mut [Vec<u32>], written: &[(usize, usize)]) -> usize {
    for &(buffer, word) in written {
        after[buffer][word] = before[buffer][word];
    }
    let words = before.iter().flatten().zip(after.iter().flatten());
    words.filter(|(before, after)| before != after).count()
}

/// A buffer full of poison.
pub(super) fn poisoned(context: &Context, label: &str, bytes: usize, poison: u32) -> wgpu::Buffer {
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

pub(super) fn floats(bits: Vec<u32>) -> Vec<f32> {
    bits.into_iter().map(f32::from_bits).collect()
}

fn record(words: &[u32]) -> Record {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(words))
}
