//! Parameters in the making, on the CPU or on a GPU, of all rows or by key.

use wgnorm::Result;
use wgnorm::scaler::{
    DeviceFitter, DeviceGroupedFitter, Features, GroupedFitter, GroupedScaler, Method, PassFitter, Scaler,
};

use super::gpu::Gpu;

/// What learns of some columns.
pub struct Learner<'a> {
    fitter: Fitter<'a>,
    /// Whether it needs its numbers (again).
    pub reads: bool,
}

enum Fitter<'a> {
    Cpu(Box<PassFitter<f64>>),
    Gpu(Box<DeviceFitter>, &'a Gpu),
    GpuKeys(Box<DeviceGroupedFitter>, &'a Gpu),
    Keys(Box<GroupedFitter<f64>>),
    /// Nothing is learned: the scaler is there.
    Given(Scaler),
}

impl<'a> Learner<'a> {
    pub fn new(method: &Method, features: usize, by_key: bool, gpu: Option<&'a Gpu>) -> Result<Self> {
        let fitter = match gpu {
            Some(gpu) if by_key => {
                let fitter = method.grouped_device_fitter(gpu.context(), features)?;
                Fitter::GpuKeys(Box::new(fitter), gpu)
            }
            Some(gpu) => Fitter::Gpu(Box::new(method.device_fitter(gpu.context(), features)?), gpu),
            None if method.passes::<f64>() == 0 => Fitter::Given(method.pass_fitter::<f64>(features)?.finish()?),
            None if by_key => Fitter::Keys(Box::new(method.grouped_fitter(features)?)),
            None => Fitter::Cpu(Box::new(method.pass_fitter(features)?)),
        };
        Ok(Self { fitter, reads: true })
    }

    /// How often it needs its numbers, at most.
    pub fn passes(method: &Method, gpu: bool) -> usize {
        if gpu {
            method.passes::<f32>()
        } else {
            method.passes::<f64>()
        }
    }

    /// Learns from rows of this pass, if it needs them; only on the CPU they may have weights.
    pub fn absorb(
        &mut self,
        values: &[f64],
        features: Features,
        keys: Option<&[u32]>,
        weights: Option<&[f64]>,
    ) -> Result<()> {
        let keys = keys.unwrap_or_default();
        match (&mut self.fitter, weights) {
            _ if !self.reads => Ok(()),
            (Fitter::Given(_), _) => Ok(()),
            (Fitter::Cpu(fitter), Some(weights)) => fitter.absorb_weighted(values, features, weights),
            (Fitter::Cpu(fitter), None) => fitter.absorb(values, features),
            (Fitter::Keys(fitter), Some(weights)) => fitter.absorb_weighted(values, features, keys, weights),
            (Fitter::Keys(fitter), None) => fitter.absorb(values, features, keys),
            (Fitter::Gpu(fitter, gpu), _) => gpu.absorb(fitter, values, features),
            (Fitter::GpuKeys(fitter, gpu), _) => gpu.absorb_by_key(fitter, values, features, keys),
        }
    }

    /// Ends a pass.
    pub fn next_pass(&mut self) -> Result<()> {
        if self.reads {
            self.reads = match &mut self.fitter {
                Fitter::Cpu(fitter) => fitter.next_pass()?,
                Fitter::Gpu(fitter, _) => fitter.next_pass()?,
                Fitter::Keys(fitter) => fitter.next_pass()?,
                Fitter::GpuKeys(..) | Fitter::Given(_) => false,
            };
        }
        Ok(())
    }

    /// The scalers: of so many keys, by their numbers, or of all rows.
    pub fn finish(&self, keys: Option<usize>) -> Result<Vec<Scaler>> {
        let by_key = |scaler: GroupedScaler| scaler.iter().map(|(_, scaler)| scaler.clone()).collect();
        Ok(match &self.fitter {
            Fitter::Cpu(fitter) => vec![fitter.finish()?],
            Fitter::Gpu(fitter, _) => vec![fitter.finish()?],
            Fitter::Keys(fitter) => by_key(fitter.finish()?),
            Fitter::GpuKeys(fitter, _) => by_key(fitter.finish()?),
            Fitter::Given(scaler) => vec![scaler.clone(); keys.unwrap_or(1)],
        })
    }
}
