//! A case with its tensors in GPU buffers and its plan bound: ready to record again and again.

use wgnorm::spec::{Operation, Source};
use wgnorm::verify::Case;
use wgnorm::verify::transfer::download;
use wgnorm::wgpu::{self, BufferUsages};
use wgnorm::{Bound, Context, Forward, Plan, Record};

use crate::cpu::Output;
use crate::failure::{Failure, Result};

pub struct Resident {
    context: Context,
    plan: Plan,
    bound: Bound,
    tensors: Tensors,
}

struct Tensors {
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    weight: Option<wgpu::Buffer>,
    bias: Option<wgpu::Buffer>,
    running: Option<(wgpu::Buffer, wgpu::Buffer)>,
    statistics: Option<wgpu::Buffer>,
    workspace: Option<wgpu::Buffer>,
}

impl Tensors {
    fn args(&self) -> Forward<'_> {
        let mut args = Forward::new(&self.x, &self.y);
        args.weight = self.weight.as_ref().map(Into::into);
        args.bias = self.bias.as_ref().map(Into::into);
        args.statistics = self.statistics.as_ref().map(Into::into);
        args.running_mean = self.running.as_ref().map(|(mean, _)| mean.into());
        args.running_var = self.running.as_ref().map(|(_, var)| var.into());
        args.workspace = self.workspace.as_ref().map(Into::into);
        args
    }
}

impl Resident {
    pub fn new(context: &Context, operation: &Operation, case: &Case) -> Result<Self> {
        let plan = operation.plan(context)?;
        let input = |label, values: &[f32]| {
            let usage = BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
            buffer(context, label, bytes_of(values), usage)
        };
        let x = input("x", &case.x)?;
        let y = buffer(context, "y", bytes_of(&case.x), BufferUsages::COPY_SRC)?;
        let weight = case.weight.as_deref().map(|v| input("weight", v)).transpose()?;
        let bias = case.bias.as_deref().map(|v| input("bias", v)).transpose()?;
        let takes_running = operation.source == Source::Running || operation.running.is_some();
        let running = match &case.running {
            Some((mean, var)) if takes_running => Some((input("running_mean", mean)?, input("running_var", var)?)),
            _ => None,
        };
        let statistics = match operation.statistics {
            true => {
                let bytes = (plan.segments() * size_of::<Record>()) as u64;
                Some(buffer(context, "statistics", bytes, BufferUsages::COPY_SRC)?)
            }
            false => None,
        };
        let workspace = match plan.workspace_size() {
            0 => None,
            bytes => Some(context.create_workspace(bytes)),
        };
        let tensors = Tensors {
            x,
            y,
            weight,
            bias,
            running,
            statistics,
            workspace,
        };
        let resident = Self {
            context: context.clone(),
            bound: plan.bind(&tensors.args())?,
            plan,
            tensors,
        };
        resident.upload(case);
        Ok(resident)
    }

    /// Binds the same tensors again.
    pub fn bind(&self) -> Result<Bound> {
        Ok(self.plan.bind(&self.tensors.args())?)
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Copies the case's tensors to the device.
    pub fn upload(&self, case: &Case) {
        let queue = self.context.queue();
        let write = |buffer: &wgpu::Buffer, values: &[f32]| {
            queue.write_buffer(buffer, 0, bytemuck::cast_slice(values));
        };
        write(&self.tensors.x, &case.x);
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

    /// Submits one run without waiting for it.
    pub fn submit(&self) {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        self.bound.record(&mut encoder);
        self.context.queue().submit([encoder.finish()]);
    }

    /// Reads every output.
    pub fn read(&self, case: &Case) -> Result<Output> {
        let records = match &self.tensors.statistics {
            Some(buffer) if !case.x.is_empty() => self.download(buffer, self.plan.segments())?,
            _ => Vec::new(),
        };
        let running = match (&self.tensors.running, &case.running) {
            (Some((mean, var)), Some((values, _))) => {
                Some((self.download(mean, values.len())?, self.download(var, values.len())?))
            }
            _ => None,
        };
        Ok(Output {
            y: self.read_y(case)?,
            records,
            running,
        })
    }

    pub fn read_y(&self, case: &Case) -> Result<Vec<f32>> {
        self.download(&self.tensors.y, case.x.len())
    }

    fn download<T: bytemuck::Pod>(&self, buffer: &wgpu::Buffer, elements: usize) -> Result<Vec<T>> {
        Ok(pollster::block_on(download(&self.context, buffer, 0..elements))?)
    }
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

fn bytes_of(values: &[f32]) -> u64 {
    size_of_val(values) as u64
}
