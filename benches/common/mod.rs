//! What the benches share: operations with one and with several dispatches, and buffers for them.
#![allow(dead_code, reason = "each bench uses a part")]

#[path = "../../tests/common/mod.rs"]
mod adapter;

pub use adapter::context;

use wgnorm::verify::transfer::{create, upload};
use wgnorm::{
    BatchNorm, Context, Forward, GroupNorm, LayerNorm, Normalization, Operation, Plan, Result, RmsNorm, ZScore, wgpu,
};

/// The operations whose costs beside the kernels are of interest.
pub fn operations() -> Result<Vec<(&'static str, Operation)>> {
    Ok(vec![
        ("layer_norm 4096x1024", LayerNorm::new(&[4096, 1024]).operation()?),
        ("layer_norm 16x262144", LayerNorm::new(&[16, 262_144]).operation()?),
        ("batch_norm 16x64x56x56", BatchNorm::new(&[16, 64, 56, 56]).operation()?),
        (
            "group_norm 8x64x64x64",
            GroupNorm::new(&[8, 64, 64, 64], 8).operation()?,
        ),
    ])
}

/// The same, and more that differ in their kernels.
pub fn kernels() -> Result<Vec<(&'static str, Operation)>> {
    let mut kernels = operations()?;
    kernels.extend([
        ("layer_norm 65536x64", LayerNorm::new(&[65536, 64]).operation()?),
        ("layer_norm 4096x1023", LayerNorm::new(&[4096, 1023]).operation()?),
        ("rms_norm 4096x1024", RmsNorm::new(&[4096, 1024]).operation()?),
        ("z_score 100000x32", ZScore::new(&[100_000, 32], &[0]).operation()?),
    ]);
    Ok(kernels)
}

/// The tensors of a planned operation.
pub struct Tensors {
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    weight: Option<wgpu::Buffer>,
    bias: Option<wgpu::Buffer>,
    workspace: wgpu::Buffer,
}

impl Tensors {
    pub fn new(context: &Context, plan: &Plan) -> Self {
        let operation = plan.operation();
        let numbers = |count: usize| -> Vec<f32> { (0..count).map(|i| (i % 251) as f32 / 251.0).collect() };
        let elements = operation.axes.iter().map(|axis| axis.extent as usize).product();
        let parameter =
            |name, given: bool| given.then(|| upload(context, name, &numbers(operation.weight_len as usize)));
        Self {
            x: upload(context, "x", &numbers(elements)),
            y: create(context, "y", 4 * elements as u64),
            weight: parameter("weight", operation.weight),
            bias: parameter("bias", operation.bias),
            workspace: context.create_workspace(plan.workspace_size()),
        }
    }

    pub fn args(&self) -> Forward<'_> {
        let mut args = Forward::new(&self.x, &self.y).workspace(&self.workspace);
        args.weight = self.weight.as_ref().map(Into::into);
        args.bias = self.bias.as_ref().map(Into::into);
        args
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        let parameters = [&self.weight, &self.bias].into_iter().flatten();
        self.x.size() + self.y.size() + parameters.map(wgpu::Buffer::size).sum::<u64>()
    }
}

/// Waits until the device has nothing left to do.
pub fn wait(context: &Context) {
    context
        .device()
        .poll(wgpu::PollType::wait_indefinitely())
        .expect("the device goes on");
}

/// Calls between two readings of the clock.
pub const BATCH: u64 = 64;

/// The sizes of the batches that make up a number of iterations.
pub fn batches(iterations: u64) -> impl Iterator<Item = u64> {
    (0..iterations.div_ceil(BATCH)).map(move |i| BATCH.min(iterations - i * BATCH))
}
