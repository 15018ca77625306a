use super::moments::{self, Moments};
use super::walk::Walk;
use crate::spec::{EpsRule, Operation, RunningUpdate, RunningVariance};

/// What a segment is normalized with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Statistics {
    /// The center; 0 for the mean square.
    pub mean: f64,
    /// Sum of squared deviations over n, or the given running variance.
    pub var: f64,
    /// What centered elements are multiplied by.
    pub rstd: f64,
}

/// The statistics of the segments from `first` on, one for each of `out`.
pub(super) fn compute(operation: &Operation, walk: &Walk, x: &[f32], first: usize, out: &mut [Statistics]) {
    let mut moments = vec![Moments::EMPTY; out.len()];
    moments::compute(&walk.statistics, x, operation.statistic, first, &mut moments);
    for (out, Moments { count, mean, m2 }) in out.iter_mut().zip(moments) {
        *out = Statistics {
            mean,
            var: m2 / count,
            // A single value is a constant, whatever ddof.
            rstd: rstd(operation, m2 / (count - f64::from(operation.ddof)).max(1.0)),
        };
    }
}

/// The statistics that running ones stand for.
pub(super) fn given(operation: &Operation, mean: &[f32], var: &[f32]) -> Vec<Statistics> {
    (mean.iter().zip(var))
        .map(|(&mean, &var)| Statistics {
            mean: f64::from(mean),
            var: f64::from(var),
            rstd: rstd(operation, f64::from(var)),
        })
        .collect()
}

fn rstd(operation: &Operation, var: f64) -> f64 {
    let eps = f64::from(operation.eps);
    match operation.eps_rule {
        EpsRule::OnDeviation => 1.0 / (var.sqrt() + eps),
        EpsRule::ZeroIsOne if var + eps == 0.0 => 1.0,
        _ => 1.0 / (var + eps).sqrt(),
    }
}

/// `new = (1 - rate) * old + rate * average over instances`, per channel; `length` is that of a segment.
pub(super) fn update_running(
    update: &RunningUpdate,
    length: usize,
    statistics: &[Statistics],
    running_mean: &mut [f32],
    running_var: &mut [f32],
) {
    let (n, instances, rate) = (length as f64, f64::from(update.instances), f64::from(update.rate));
    // NaN for n = 1: a single value has no unbiased variance.
    let bessel = match update.variance {
        RunningVariance::Biased => 1.0,
        RunningVariance::Unbiased if length > 1 => n / (n - 1.0),
        RunningVariance::Unbiased => f64::NAN,
    };
    let blend = |old: f32, new: f64| ((1.0 - rate) * f64::from(old) + rate * new) as f32;
    let channels = update.channels as usize;
    for (c, (running_mean, running_var)) in running_mean.iter_mut().zip(running_var).enumerate() {
        let (mut mean, mut var) = (0.0, 0.0);
        for instance in statistics.iter().skip(c).step_by(channels) {
            mean += instance.mean;
            var += instance.var;
        }
        *running_mean = blend(*running_mean, mean / instances);
        *running_var = blend(*running_var, bessel * var / instances);
    }
}
