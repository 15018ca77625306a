//! A case with its tensors in GPU buffers and its plan bound: ready to record again and again.

use wgnorm::spec::{Operation, Source};
use wgnorm::verify::Case;
use wgnorm::verify::transfer::{download, upload};
use wgnorm::wgpu::{self, BufferUsages};
use wgnorm::{Backward, BackwardPlan, Bound, Context, Forward, Plan, Record, Variant};

use crate::cpu::{GradientOutput, Output, Outputs};
use crate::failure::{Failure, Result};

pub struct Resident {
    context: Context,
    pass: Pass,
    bound: Bound,
    tensors: Tensors,
}

/// A plan with the tensors that its direction has.
enum Pass {
    Forward {
        plan: Plan,
        y: wgpu::Buffer,
    },
    Backward {
        plan: BackwardPlan,
        dy: wgpu::Buffer,
        dx: wgpu::Buffer,
        dweight: Option<wgpu::Buffer>,
        dbias: Option<wgpu::Buffer>,
    },
}

/// The tensors of both directions.
struct Tensors {
    x: wgpu::Buffer,
    weight: Option<wgpu::Buffer>,
    bias: Option<wgpu::Buffer>,
    running: Option<(wgpu::Buffer, wgpu::Buffer)>,
    /// Written forward, read backward.
    statistics: Option<wgpu::Buffer>,
    workspace: Option<wgpu::Buffer>,
}

impl Pass {
    fn workspace(&self, context: &Context) -> Option<wgpu::Buffer> {
        let bytes = match self {
            Self::Forward { plan, .. } => plan.workspace_size(),
            Self::Backward { plan, .. } => plan.workspace_size(),
        };
        (bytes > 0).then(|| context.create_workspace(bytes))
    }

    fn bind(&self, tensors: &Tensors) -> Result<Bound> {
        let running = tensors.running.as_ref().map(|(mean, var)| (mean.into(), var.into()));
        let workspace = tensors.workspace.as_ref().map(Into::into);
        let weight = tensors.weight.as_ref().map(Into::into);
        let statistics = tensors.statistics.as_ref().map(Into::into);
        Ok(match self {
            Self::Forward { plan, y } => {
                let mut args = Forward::new(&tensors.x, y);
                (args.running_mean, args.running_var) = running.unzip();
                (args.weight, args.workspace, args.statistics) = (weight, workspace, statistics);
                args.bias = tensors.bias.as_ref().map(Into::into);
                plan.bind(&args)?
            }
            Self::Backward {
                plan,
                dy,
                dx,
                dweight,
                dbias,
            } => {
                let mut args = Backward::new(&tensors.x, dy).dx(dx);
                if plan.operation().source == Source::Running {
                    (args.running_mean, args.running_var) = running.unzip();
                }
                (args.weight, args.workspace, args.statistics) = (weight, workspace, statistics);
                args.dweight = dweight.as_ref().map(Into::into);
                args.dbias = dbias.as_ref().map(Into::into);
                plan.bind(&args)?
            }
        })
    }

    /// What a run overwrites, whatever it held.
    fn written(&self) -> Vec<&wgpu::Buffer> {
        match self {
            Self::Forward { y, .. } => vec![y],
            Self::Backward { dx, dweight, dbias, .. } => [Some(dx), dweight.as_ref(), dbias.as_ref()]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

impl Resident {
    pub fn new(context: &Context, operation: &Operation, case: &Case) -> Result<Self> {
        let plan = operation.plan(context)?;
        let x = tensor(context, "x", &case.x)?;
        let y = tensor(context, "y", &case.x)?;
        let takes_running = operation.source == Source::Running || operation.running.is_some();
        let running = match &case.running {
            Some((mean, var)) if takes_running => Some((
                tensor(context, "running_mean", mean)?,
                tensor(context, "running_var", var)?,
            )),
            _ => None,
        };
        let statistics = match operation.statistics {
            true => {
                let bytes = (plan.segments() * size_of::<Record>()) as u64;
                Some(buffer(context, "statistics", bytes, BufferUsages::COPY_SRC)?)
            }
            false => None,
        };
        let tensors = Tensors {
            x,
            weight: parameter(context, "weight", case.weight.as_ref())?,
            bias: parameter(context, "bias", case.bias.as_ref())?,
            running,
            statistics,
            workspace: None,
        };
        Self::bound_to(context, Pass::Forward { plan, y }, tensors, case)
    }

    /// The backward pass of a case that has a dy, with the statistics of a forward run where it saves any.
    pub fn backward(context: &Context, operation: &Operation, case: &Case) -> Result<Self> {
        let plan = operation.plan_backward(context, case.gradients())?;
        let forward = Operation {
            variant: None,
            ..operation.clone()
        };
        let forward = Self::new(context, &forward, case)?;
        forward.submit();
        let asked = plan.gradients();
        let pass = Pass::Backward {
            dy: tensor(context, "dy", &case.x)?,
            dx: tensor(context, "dx", &case.x)?,
            dweight: parameter(context, "dweight", case.weight.as_ref().filter(|_| asked.dweight))?,
            dbias: parameter(context, "dbias", case.bias.as_ref().filter(|_| asked.dbias))?,
            plan,
        };
        Self::bound_to(context, pass, forward.tensors, case)
    }

    fn bound_to(context: &Context, pass: Pass, tensors: Tensors, case: &Case) -> Result<Self> {
        let tensors = Tensors {
            workspace: pass.workspace(context),
            ..tensors
        };
        let resident = Self {
            context: context.clone(),
            bound: pass.bind(&tensors)?,
            pass,
            tensors,
        };
        resident.upload(case);
        Ok(resident)
    }

    /// Binds the same tensors again.
    pub fn bind(&self) -> Result<Bound> {
        self.pass.bind(&self.tensors)
    }

    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    pub fn operation(&self) -> &Operation {
        match &self.pass {
            Pass::Forward { plan, .. } => plan.operation(),
            Pass::Backward { plan, .. } => plan.operation(),
        }
    }

    pub fn variant(&self) -> Option<Variant> {
        match &self.pass {
            Pass::Forward { plan, .. } => plan.variant(),
            Pass::Backward { plan, .. } => plan.variant(),
        }
    }

    pub fn dispatches(&self) -> usize {
        self.bound.dispatches()
    }

    /// Copies the case's tensors to the device.
    pub fn upload(&self, case: &Case) {
        let queue = self.context.queue();
        let write = |buffer: &wgpu::Buffer, values: &[f32]| {
            queue.write_buffer(buffer, 0, bytemuck::cast_slice(values));
        };
        write(&self.tensors.x, &case.x);
        if let (Pass::Backward { dy, .. }, Some(values)) = (&self.pass, &case.dy) {
            write(dy, values);
        }
        for (buffer, values) in [(&self.tensors.weight, &case.weight), (&self.tensors.bias, &case.bias)] {
            if let (Some(buffer), Some(values)) = (buffer, values) {
                write(buffer, values);
            }
        }
        if let (Some((mean, var)), Some((mean_values, var_values))) = (&self.tensors.running, &case.running) {
            write(mean, mean_values);
            write(var, var_values);
        }
    }

    /// Fills what a run overwrites with NaN, the workspace too.
    pub fn poison(&self) {
        const BLOCK: usize = 1 << 18;
        let poison = upload(&self.context, "poison", &vec![f32::NAN; BLOCK]);
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        for buffer in (self.pass.written().into_iter()).chain(&self.tensors.workspace) {
            for start in (0..buffer.size()).step_by(4 * BLOCK) {
                let bytes = poison.size().min(buffer.size() - start);
                encoder.copy_buffer_to_buffer(&poison, 0, buffer, start, bytes);
            }
        }
        self.context.queue().submit([encoder.finish()]);
    }

    /// Submits one run without waiting for it.
    pub fn submit(&self) {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        self.bound.record(&mut encoder);
        self.context.queue().submit([encoder.finish()]);
    }

    /// Reads every output.
    pub fn read(&self, case: &Case) -> Result<Outputs> {
        let read = |buffer: &Option<wgpu::Buffer>, values: &Option<Vec<f32>>| match (buffer, values) {
            (Some(buffer), Some(values)) => self.download(buffer, values.len()).map(Some),
            _ => Ok(None),
        };
        Ok(match &self.pass {
            Pass::Forward { plan, y } => Outputs::Forward(Output {
                y: self.download(y, case.x.len())?,
                records: match &self.tensors.statistics {
                    Some(buffer) if !case.x.is_empty() => self.download(buffer, plan.segments())?,
                    _ => Vec::new(),
                },
                running: match (&self.tensors.running, &case.running) {
                    (Some((mean, var)), Some((values, _))) => {
                        Some((self.download(mean, values.len())?, self.download(var, values.len())?))
                    }
                    _ => None,
                },
            }),
            Pass::Backward { dx, dweight, dbias, .. } => Outputs::Backward(GradientOutput {
                dx: self.download(dx, case.x.len())?,
                dweight: read(dweight, &case.weight)?,
                dbias: read(dbias, &case.bias)?,
            }),
        })
    }

    /// Reads the outputs that a caller is after: y, or the gradients.
    pub fn read_results(&self, case: &Case) -> Result<()> {
        match &self.pass {
            Pass::Forward { y, .. } => self.download::<f32>(y, case.x.len()).map(drop),
            Pass::Backward { .. } => self.read(case).map(drop),
        }
    }

    fn download<T: bytemuck::Pod>(&self, buffer: &wgpu::Buffer, elements: usize) -> Result<Vec<T>> {
        Ok(pollster::block_on(download(&self.context, buffer, 0..elements))?)
    }
}

/// A buffer for these values, which are not in it yet, or for as many others.
fn tensor(context: &Context, label: &str, values: &[f32]) -> Result<wgpu::Buffer> {
    let usage = BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
    buffer(context, label, size_of_val(values) as u64, usage)
}

fn parameter(context: &Context, label: &str, values: Option<&Vec<f32>>) -> Result<Option<wgpu::Buffer>> {
    values.map(|values| tensor(context, label, values)).transpose()
}

/// Waits until everything submitted so far has finished.
pub fn wait(device: &wgpu::Device) -> Result<()> {
    match device.poll(wgpu::PollType::wait_indefinitely()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Input(format!("the device stopped: {error}"))),
    }
}

/// A storage buffer of at least one word, or an error where wgpu would panic.
pub fn buffer(context: &Context, label: &str, bytes: u64, usage: BufferUsages) -> Result<wgpu::Buffer> {
    let device = context.device();
    let limit = device.limits().max_buffer_size;
    if bytes > limit {
        return Err(Failure::Input(format!(
            "{label} takes {bytes} bytes, this device's buffers hold at most {limit}"
        )));
    }
    let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes.max(4),
        usage: BufferUsages::STORAGE | usage,
        mapped_at_creation: false,
    });
    match pollster::block_on(scope.pop()) {
        None => Ok(buffer),
        Some(_) => Err(Failure::Input(format!("no device memory for {label} ({bytes} bytes)"))),
    }
}
