//! What a case should give, by the f64 reference.

use super::case::{Case, Norm, Running, Update};
use crate::reference::{self, Output};
use crate::{Preset, RunningVariance};

/// The outputs of a [`Case`] in f64.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// The normalized tensor.
    pub y: Vec<f64>,
    /// Mean of every segment (0 for RMS norm); `None` where the call takes no statistics.
    pub mean: Option<Vec<f64>>,
    /// Reciprocal scale of every segment; `None` where the call takes no statistics.
    pub rstd: Option<Vec<f64>>,
    /// Running means after the call, if there are any.
    pub running_mean: Option<Vec<f64>>,
    /// Running variances after the call, if there are any.
    pub running_var: Option<Vec<f64>>,
}

impl Case {
    /// The outputs by the f64 reference. A case that [`operation`](Self::operation) refuses expects nothing.
    pub fn expected(&self) -> Expected {
        if self.operation().is_err() {
            return Expected::default();
        }
        let weight = self.weight.as_deref().map(widen);
        let bias = self.bias.as_deref().map(widen);
        self.evaluate(weight.as_deref(), bias.as_deref())
    }

    /// The expected y without weight and bias: x_hat. The case must be valid.
    pub(super) fn expected_x_hat(&self) -> Vec<f64> {
        self.evaluate(None, None).y
    }

    fn evaluate(&self, weight: Option<&[f64]>, bias: Option<&[f64]>) -> Expected {
        let running = self.running.as_ref().map(|(mean, var)| (widen(mean), widen(var)));
        let (running_mean, running_var) = running.unzip();
        // Statistics of nothing are not defined, and nothing is updated by them.
        if self.x.is_empty() {
            return Expected {
                running_mean,
                running_var,
                ..Expected::default()
            };
        }
        let (x, shape, eps) = (widen(&self.x), &self.shape[..], self.effective_eps());
        if let (true, Some(mean), Some(var)) = (self.norm.uses_running(), &running_mean, &running_var) {
            let y = reference::with_statistics(&x, shape, self.layout, mean, var, weight, bias, eps);
            return Expected {
                y,
                running_mean,
                running_var,
                ..Expected::default()
            };
        }
        let output = match &self.norm {
            &Norm::Layer { axis } => {
                let axes = trailing(shape, axis);
                reference::layer_norm(&x, shape, &axes, &axes, weight, bias, eps)
            }
            &Norm::Rms { axis } => {
                let axes = trailing(shape, axis);
                reference::rms_norm(&x, shape, &axes, &axes, weight, bias, eps)
            }
            Norm::Batch(_) => reference::batch_norm(&x, shape, self.layout, weight, bias, eps),
            Norm::Instance(_) => reference::instance_norm(&x, shape, self.layout, weight, bias, eps),
            &Norm::Group { groups, affine } => {
                reference::group_norm(&x, shape, self.layout, groups, affine, weight, bias, eps)
            }
            Norm::ZScore { axes, ddof } => {
                reference::z_score(&x, shape, axes, *ddof, &kept(shape, axes), weight, bias, eps)
            }
            Norm::MeanVariance { axes } => {
                reference::mean_variance_norm(&x, shape, axes, &kept(shape, axes), weight, bias, eps)
            }
        };
        let (running_mean, running_var) = match (self.norm.running(), running_mean, running_var) {
            (
                Some(Running {
                    update: Some(update), ..
                }),
                Some(mean),
                Some(var),
            ) => {
                let (mean, var) = self.updated(update, &output, &mean, &var);
                (Some(mean), Some(var))
            }
            (_, mean, var) => (mean, var),
        };
        Expected {
            y: output.y,
            mean: Some(output.mean),
            rstd: Some(output.rstd),
            running_mean,
            running_var,
        }
    }

    /// Running statistics after `update` with the statistics in `output`.
    fn updated(&self, update: &Update, output: &Output, mean: &[f64], var: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let rate = self.update_rate(update);
        let length = self.x.len() / output.var.len();
        let variance = update.variance.unwrap_or(self.preset.running_variance());
        let batch_var: Vec<f64> = match variance {
            RunningVariance::Biased => output.var.clone(),
            RunningVariance::Unbiased => reference::unbiased_variance(&output.var, length),
        };
        (
            reference::update_running(mean, &output.mean, rate),
            reference::update_running(var, &batch_var, rate),
        )
    }

    /// Weight of the new batch in f64, from the momentum in the preset's convention.
    pub(super) fn update_rate(&self, update: &Update) -> f64 {
        match self.preset {
            Preset::PyTorch => f64::from(update.momentum),
            Preset::Onnx | Preset::Keras | Preset::Flax => 1.0 - f64::from(update.momentum),
        }
    }

    fn effective_eps(&self) -> f64 {
        f64::from(self.eps.unwrap_or_else(|| match self.norm {
            Norm::Layer { .. } | Norm::Instance(_) | Norm::Group { .. } => self.preset.sample_eps(),
            Norm::Batch(_) => self.preset.batch_eps(),
            Norm::Rms { .. } => self.preset.rms_eps(),
            Norm::ZScore { .. } => 0.0,
            Norm::MeanVariance { .. } => 1e-9,
        }))
    }
}

/// The axes from `axis` on.
fn trailing(shape: &[usize], axis: usize) -> Vec<usize> {
    (axis..shape.len()).collect()
}

/// The axes of `shape` that are not in `axes`.
fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len()).filter(|axis| !axes.contains(axis)).collect()
}

fn widen(values: impl AsRef<[f32]>) -> Vec<f64> {
    values.as_ref().iter().map(|&v| f64::from(v)).collect()
}
