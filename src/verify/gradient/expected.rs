//! What the gradients of a case should be, by the f64 reference.

use crate::ZeroNorm;
use crate::reference::{self, gradient, gradient::Gradient};
use crate::verify::case::{Case, Norm};
use crate::verify::expected::{kept, widen};

impl Case {
    /// The gradients by the f64 reference. The case must be valid.
    pub(in crate::verify) fn gradient(&self, dy: &[f64], weight: Option<&[f64]>) -> Gradient {
        let (x, shape, eps) = (&widen(&self.x)[..], &self.shape[..], self.effective_eps());
        let weights = |own| self.weights(own);
        match &self.norm {
            Norm::Batch(running) | Norm::Instance(running) if running.use_running => {
                let (mean, var) = self
                    .running
                    .as_ref()
                    .map_or_else(Default::default, |(mean, var)| (widen(mean), widen(var)));
                gradient::with_statistics(x, dy, shape, self.layout, &mean, &var, weight, eps)
            }
            Norm::Layer { axes } => gradient::layer_norm(x, dy, shape, axes, &weights(axes.clone()), weight, eps),
            Norm::Rms { axes } => gradient::rms_norm(x, dy, shape, axes, &weights(axes.clone()), weight, eps),
            Norm::Batch(_) | Norm::Instance(_) | Norm::Group { .. } if self.weight_axes.is_some() => {
                let (shape, axes, weight_axes) = self.as_layer_norm();
                gradient::layer_norm(x, dy, &shape, &axes, &weight_axes, weight, eps)
            }
            Norm::Batch(_) => gradient::batch_norm(x, dy, shape, self.layout, weight, eps),
            Norm::Instance(_) => gradient::instance_norm(x, dy, shape, self.layout, weight, eps),
            &Norm::Group { groups, affine } => {
                gradient::group_norm(x, dy, shape, self.layout, groups, affine, weight, eps)
            }
            Norm::ZScore { axes, ddof } => {
                gradient::z_score(x, dy, shape, axes, *ddof, &weights(kept(shape, axes)), weight, eps)
            }
            Norm::MeanVariance { axes } => {
                gradient::mean_variance_norm(x, dy, shape, axes, &weights(kept(shape, axes)), weight, eps)
            }
            Norm::Lp { axes, p, zero } => {
                let rule = match zero {
                    ZeroNorm::AtLeastEps => reference::ZeroNorm::Floor,
                    ZeroNorm::Zero => reference::ZeroNorm::Zero,
                };
                let weights = weights(kept(shape, axes));
                gradient::lp_normalize(x, dy, shape, axes, f64::from(*p), eps, rule, &weights, weight)
            }
            &Norm::LocalResponse { size, alpha, beta, k } => {
                self.response_gradient(x, dy, size, [alpha, beta, k], weight)
            }
        }
    }

    /// Local response norm with a weight, which its formula does not have.
    fn response_gradient(
        &self,
        x: &[f64],
        dy: &[f64],
        size: usize,
        [alpha, beta, k]: [f32; 3],
        weight: Option<&[f64]>,
    ) -> Gradient {
        let channel = self.channel_axis().unwrap_or(0);
        let (left, right) = self.window(size);
        let [alpha, beta, k] = [alpha, beta, k].map(f64::from);
        let shape = &self.shape[..];
        let index: Vec<usize> = (0..x.len())
            .map(|element| self.weight_index(element, channel))
            .collect();
        let len = self.weights(vec![channel]).iter().map(|&axis| shape[axis]).product();
        let weighted = |(dy, &p): (&f64, &usize)| dy * weight.map_or(1.0, |weight| weight[p]);
        let g: Vec<f64> = dy.iter().zip(&index).map(weighted).collect();
        let x_hat = reference::local_response_norm(x, shape, channel, left, right, size, k, alpha, beta);
        let mut gradient = Gradient {
            dx: gradient::local_response_norm(x, &g, shape, channel, left, right, size, k, alpha, beta),
            dweight: vec![0.0; len],
            dbias: vec![0.0; len],
        };
        for (element, p) in index.into_iter().enumerate() {
            gradient.dweight[p] += dy[element] * x_hat[element];
            gradient.dbias[p] += dy[element];
        }
        gradient
    }
}
