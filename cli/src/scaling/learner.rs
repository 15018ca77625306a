//! Parameters in the making, on the CPU or on a GPU.

use wgnorm::Result;
use wgnorm::scaler::{DeviceFitter, Features, Method, PassFitter, Scaler};

use super::gpu::Gpu;

/// What learns of some columns, of all rows or of those of one key.
pub struct Learner<'a> {
    fitter: Fitter<'a>,
    /// Whether it needs its numbers (again).
    pub reads: bool,
}

enum Fitter<'a> {
    Cpu(Box<PassFitter<f64>>),
    Gpu(Box<DeviceFitter>, &'a Gpu),
}

impl<'a> Learner<'a> {
    pub fn new(method: &Method, features: usize, gpu: Option<&'a Gpu>) -> Result<Self> {
        let fitter = match gpu {
            Some(gpu) => Fitter::Gpu(Box::new(method.device_fitter(gpu.context(), features)?), gpu),
            None => Fitter::Cpu(Box::new(method.pass_fitter(features)?)),
        };
        Ok(Self { fitter, reads: true })
    }

    /// How often it needs its numbers.
    pub fn passes(method: &Method, gpu: bool) -> usize {
        if gpu {
            method.passes::<f32>()
        } else {
            method.passes::<f64>()
        }
    }

    /// Learns from rows of this pass, if it needs them; only on the CPU they may have weights.
    pub fn absorb(&mut self, values: &[f64], features: Features, weights: Option<&[f64]>) -> Result<()> {
        match (&mut self.fitter, weights) {
            _ if !self.reads => Ok(()),
            (Fitter::Cpu(fitter), Some(weights)) => fitter.absorb_weighted(values, features, weights),
            (Fitter::Cpu(fitter), None) => fitter.absorb(values, features),
            (Fitter::Gpu(fitter, gpu), _) => gpu.absorb(fitter, values, features),
        }
    }

    /// Ends a pass.
    pub fn next_pass(&mut self) -> Result<()> {
        if self.reads {
            self.reads = match &mut self.fitter {
                Fitter::Cpu(fitter) => fitter.next_pass()?,
                Fitter::Gpu(fitter, _) => fitter.next_pass()?,
            };
        }
        Ok(())
    }

    pub fn finish(&self) -> Result<Scaler> {
        match &self.fitter {
            Fitter::Cpu(fitter) => fitter.finish(),
            Fitter::Gpu(fitter, _) => fitter.finish(),
        }
    }
}
