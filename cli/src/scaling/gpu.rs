//! Columns of f32 on a GPU. Others keep more digits than its arithmetic has, and stay on the CPU.

use arrow_schema::DataType;
use wgnorm::scaler::{DeviceFitter, DeviceGroupedFitter, Features, Method, Recorded, TransformPlan};
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Context, Result, wgpu};

use super::spec::Scale;
use crate::device::DeviceArgs;
use crate::failure::Result as Failed;
use crate::table::Table;

/// A GPU to compute on.
pub struct Gpu(Context);

impl Gpu {
    /// Opens one, if there is one and it has something to do.
    pub fn open<'a>(
        device: &DeviceArgs,
        table: &dyn Table,
        mut parts: impl Iterator<Item = (&'a Scale, &'a [usize])>,
    ) -> Failed<Option<Self>> {
        match parts.any(|(scale, columns)| Self::takes(table, scale, columns)) {
            true => Ok(device.open_gpu()?.map(Self)),
            false => Ok(None),
        }
    }

    /// Whether columns that are scaled like this are f32 from the file to the arithmetic. (Logarithms are of f64.)
    pub fn takes(table: &dyn Table, scale: &Scale, columns: &[usize]) -> bool {
        let is_f32 =
            |&column: &usize| matches!(table.columns()[column].data_type, DataType::Float16 | DataType::Float32);
        scale.logarithm.is_none() && columns.iter().all(is_f32)
    }

    /// Whether kernels also fit it: by key in one pass, and no search.
    pub fn fits(table: &dyn Table, scale: &Scale, columns: &[usize], by_key: bool) -> bool {
        let is_there = match scale.method {
            Method::Power(_) => false,
            _ => !by_key || scale.method.passes::<f32>() == 1,
        };
        is_there && Self::takes(table, scale, columns)
    }

    pub fn context(&self) -> &Context {
        &self.0
    }

    /// Gives values that are f32 to a fit.
    pub fn absorb(&self, fitter: &mut DeviceFitter, values: &[f64], features: Features) -> Result<()> {
        let (x, mut encoder) = self.begin(values);
        let recorded = fitter.record(&mut encoder, &x, features)?;
        let words = self.words(encoder, fitter.results(), &recorded)?;
        fitter.absorb(&recorded, &words)
    }

    /// Gives values that are f32 to a fit by key.
    pub fn absorb_by_key(
        &self,
        fitter: &mut DeviceGroupedFitter,
        values: &[f64],
        features: Features,
        keys: &[u32],
    ) -> Result<()> {
        let (x, mut encoder) = self.begin(values);
        let recorded = fitter.record(&mut encoder, &x, features, keys)?;
        let words = self.words(encoder, fitter.results(), &recorded)?;
        fitter.absorb(&recorded, &words)
    }

    /// Scales values that are f32 by a plan of theirs.
    pub fn transform(&self, plan: &TransformPlan, values: &mut [f64]) -> Result<()> {
        let context = &self.0;
        let (x, mut encoder) = self.begin(values);
        let y = create(context, "y", values.len() as u64 * 4);
        plan.bind(&x, &y)?.record(&mut encoder);
        context.queue().submit([encoder.finish()]);
        let y: Vec<f32> = pollster::block_on(download(context, &y, 0..values.len()))?;
        values.iter_mut().zip(y).for_each(|(value, y)| *value = y.into());
        Ok(())
    }

    /// Values on the device, and what commands are recorded into.
    fn begin(&self, values: &[f64]) -> (wgpu::Buffer, wgpu::CommandEncoder) {
        let encoder = self.0.device().create_command_encoder(&Default::default());
        (upload(&self.0, "x", &narrow(values)), encoder)
    }

    /// Submits what was recorded, and reads what it leaves.
    fn words(&self, encoder: wgpu::CommandEncoder, results: &wgpu::Buffer, recorded: &Recorded) -> Result<Vec<u32>> {
        self.0.queue().submit([encoder.finish()]);
        pollster::block_on(download(&self.0, results, 0..recorded.words))
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
