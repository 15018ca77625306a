//! Columns of f32 on a GPU. Others keep more digits than its arithmetic has, and stay on the CPU.

use arrow_schema::DataType;
use wgnorm::scaler::{DeviceFitter, Features, Scaler};
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Context, Result};

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

    /// Whether columns that are scaled like this are f32 from the file to the arithmetic, and kernels have it.
    pub fn takes(table: &dyn Table, scale: &Scale, columns: &[usize]) -> bool {
        let is_f32 =
            |&column: &usize| matches!(table.columns()[column].data_type, DataType::Float16 | DataType::Float32);
        let is_there = scale.logarithm.is_none() && (scale.is_of_lines() || scale.is_of_rows());
        is_there && columns.iter().all(is_f32)
    }

    pub fn context(&self) -> &Context {
        &self.0
    }

    /// Gives values that are f32 to a fit.
    pub fn absorb(&self, fitter: &mut DeviceFitter, values: &[f64], features: Features) -> Result<()> {
        let context = &self.0;
        let x = upload(context, "x", &narrow(values));
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let recorded = fitter.record(&mut encoder, &x, features)?;
        context.queue().submit([encoder.finish()]);
        let words: Vec<u32> = pollster::block_on(download(context, fitter.results(), 0..recorded.words))?;
        fitter.absorb(&recorded, &words)
    }

    /// Scales values that are f32.
    pub fn transform(&self, scaler: &Scaler, values: &mut [f64], features: Features) -> Result<()> {
        let context = &self.0;
        let x = upload(context, "x", &narrow(values));
        let y = create(context, "y", values.len() as u64 * 4);
        let mut encoder = context.device().create_command_encoder(&Default::default());
        scaler
            .plan_transform(context, features)?
            .bind(&x, &y)?
            .record(&mut encoder);
        context.queue().submit([encoder.finish()]);
        let y: Vec<f32> = pollster::block_on(download(context, &y, 0..values.len()))?;
        values.iter_mut().zip(y).for_each(|(value, y)| *value = y.into());
        Ok(())
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
