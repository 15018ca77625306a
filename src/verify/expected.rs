//! What a case should give, by the f64 reference.

use super::case::{Case, Norm, Running, Update};
use crate::reference::{self, Output};
use crate::{Preset, RunningVariance, ZeroNorm};

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
    /// Gradient with respect to x; `None` where the case has no dy.
    pub dx: Option<Vec<f64>>,
    /// Gradient with respect to the weight; `None` where the case has no dy or no weight.
    pub dweight: Option<Vec<f64>>,
    /// Gradient with respect to the bias; `None` where the case has no dy or no bias.
    pub dbias: Option<Vec<f64>>,
}

impl Case {
    /// The outputs by the f64 reference. A case that [`operation`](Self::operation) refuses expects nothing.
    pub fn expected(&self) -> Expected {
        if self.operation().is_err() {
            return Expected::default();
        }
        let weight = self.weight.as_deref().map(widen);
        let bias = self.bias.as_deref().map(widen);
        let mut expected = self.evaluate(weight.as_deref(), bias.as_deref());
        if let Some(dy) = &self.dy {
            let gradient = self.gradient(&widen(dy), weight.as_deref());
            expected.dx = Some(gradient.dx);
            expected.dweight = weight.map(|_| gradient.dweight);
            expected.dbias = bias.map(|_| gradient.dbias);
        }
        expected
    }

    /// The expected y without weight and bias: x_hat. The case must be valid.
    pub(super) fn expected_x_hat(&self) -> Vec<f64> {
        self.evaluate(None, None).y
    }

    pub(super) fn evaluate(&self, weight: Option<&[f64]>, bias: Option<&[f64]>) -> Expected {
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
        let weights = |own| self.weights(own);
        let output = match &self.norm {
            &Norm::LocalResponse { size, alpha, beta, k } => {
                let y = self.local_response(&x, size, [alpha, beta, k], weight, bias);
                return Expected {
                    y,
                    ..Expected::default()
                };
            }
            Norm::Layer { axes } => reference::layer_norm(&x, shape, axes, &weights(axes.clone()), weight, bias, eps),
            Norm::Rms { axes } => reference::rms_norm(&x, shape, axes, &weights(axes.clone()), weight, bias, eps),
            Norm::Batch(_) | Norm::Instance(_) | Norm::Group { .. } if self.weight_axes.is_some() => {
                let (shape, axes, weight_axes) = self.as_layer_norm();
                reference::layer_norm(&x, &shape, &axes, &weight_axes, weight, bias, eps)
            }
            Norm::Batch(_) => reference::batch_norm(&x, shape, self.layout, weight, bias, eps),
            Norm::Instance(_) => reference::instance_norm(&x, shape, self.layout, weight, bias, eps),
            &Norm::Group { groups, affine } => {
                reference::group_norm(&x, shape, self.layout, groups, affine, weight, bias, eps)
            }
            Norm::ZScore { axes, ddof } => {
                reference::z_score(&x, shape, axes, *ddof, &weights(kept(shape, axes)), weight, bias, eps)
            }
            Norm::MeanVariance { axes } => {
                reference::mean_variance_norm(&x, shape, axes, &weights(kept(shape, axes)), weight, bias, eps)
            }
            Norm::Lp { axes, p, zero } => {
                let rule = match zero {
                    ZeroNorm::AtLeastEps => reference::ZeroNorm::Floor,
                    ZeroNorm::Zero => reference::ZeroNorm::Zero,
                };
                let weights = weights(kept(shape, axes));
                reference::lp_normalize(&x, shape, axes, f64::from(*p), eps, rule, &weights, weight, bias)
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
            ..Expected::default()
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

    pub(super) fn effective_eps(&self) -> f64 {
        f64::from(self.eps.unwrap_or_else(|| match self.norm {
            Norm::Layer { .. } | Norm::Instance(_) | Norm::Group { .. } => self.preset.sample_eps(),
            Norm::Batch(_) => self.preset.batch_eps(),
            Norm::Rms { .. } => self.preset.rms_eps(),
            Norm::ZScore { .. } | Norm::LocalResponse { .. } => 0.0,
            Norm::MeanVariance { .. } => 1e-9,
            Norm::Lp {
                zero: ZeroNorm::AtLeastEps,
                ..
            } => 1e-12,
            Norm::Lp {
                zero: ZeroNorm::Zero, ..
            } => 0.0,
        }))
    }

    fn local_response(
        &self,
        x: &[f64],
        size: usize,
        [alpha, beta, k]: [f32; 3],
        weight: Option<&[f64]>,
        bias: Option<&[f64]>,
    ) -> Vec<f64> {
        let channel = self.channel_axis().unwrap_or(0);
        let (left, right) = self.window(size);
        let [k, alpha, beta] = [k, alpha, beta].map(f64::from);
        let y = reference::local_response_norm(x, &self.shape, channel, left, right, size, k, alpha, beta);
        let index = |element| self.weight_index(element, channel);
        let affine = |(element, y): (usize, f64)| {
            y * weight.map_or(1.0, |w| w[index(element)]) + bias.map_or(0.0, |b| b[index(element)])
        };
        y.into_iter().enumerate().map(affine).collect()
    }

    /// Neighbours before and after a channel in a window of `size`.
    pub(super) fn window(&self, size: usize) -> (usize, usize) {
        match self.preset {
            Preset::PyTorch => (size / 2, (size - 1) / 2),
            Preset::Onnx | Preset::Keras | Preset::Flax => ((size - 1) / 2, size / 2),
        }
    }

    /// Index of an element's weight, dense over its axes: the channel's if there are none in the case.
    pub(super) fn weight_index(&self, element: usize, channel: usize) -> usize {
        let weighs = |axis: usize| match &self.weight_axes {
            Some(axes) => axes.contains(&axis),
            None => axis == channel,
        };
        (0..self.shape.len()).fold(0, |index, axis| {
            let stride: usize = self.shape[axis + 1..].iter().product();
            let position = element / stride % self.shape[axis];
            if weighs(axis) {
                index * self.shape[axis] + position
            } else {
                index
            }
        })
    }

    /// The axes that index the weight, by default the operation's own.
    pub(super) fn weights(&self, own: Vec<usize>) -> Vec<usize> {
        self.weight_axes.clone().unwrap_or(own)
    }

    /// Shape, reduced axes and weight axes of the layer norm over axes that a batch, instance or group norm is.
    pub(super) fn as_layer_norm(&self) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let channel = self.channel_axis().unwrap_or(0);
        let mut shape = self.shape.clone();
        let groups = match self.norm {
            Norm::Group { groups, .. } => groups,
            _ => shape[channel],
        };
        // The channel axis falls into groups, which are kept, and the channels of a group.
        shape.splice(channel..=channel, [groups, shape[channel] / groups]);
        let keeps_samples = !matches!(self.norm, Norm::Batch(_));
        let reduced = (0..shape.len()).filter(|&axis| axis != channel && !(axis == 0 && keeps_samples));
        let weighs = |axis: usize| {
            let original = if axis > channel { axis - 1 } else { axis };
            self.weight_axes.as_ref().is_some_and(|axes| axes.contains(&original))
        };
        let weight_axes = (0..shape.len()).filter(|&axis| weighs(axis)).collect();
        (shape.clone(), reduced.collect(), weight_axes)
    }
}

/// The axes of `shape` that are not in `axes`.
pub(super) fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len()).filter(|axis| !axes.contains(axis)).collect()
}

pub(super) fn widen(values: impl AsRef<[f32]>) -> Vec<f64> {
    values.as_ref().iter().map(|&v| f64::from(v)).collect()
}
