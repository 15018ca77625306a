use super::reduction::{Deviations, Largest, Partial, Powers, Reduction, magnitudes, squares};
use super::segments;
use super::walk::Walk;
use crate::spec::{EpsRule, Operation, RunningUpdate, RunningVariance, Statistic};

/// What a segment is normalized with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Statistics {
    /// The center; 0 for the mean square and for norms.
    pub mean: f64,
    /// Sum of squared deviations over n, the given running variance, or the norm.
    pub spread: f64,
    /// What centered elements are multiplied by.
    pub rstd: f64,
}

/// The statistics of the segments from `first` on, one for each of `out`.
pub(super) fn compute(operation: &Operation, walk: &Walk, x: &[f32], first: usize, out: &mut [Statistics]) {
    let ddof = f64::from(operation.ddof);
    let moments = |Partial { count, pivot, sum }: Partial| Statistics {
        mean: pivot,
        spread: sum / count,
        // A single value is a constant, whatever ddof.
        rstd: rstd(operation, sum / (count - ddof).max(1.0)),
    };
    let of_norm = |norm| Statistics {
        mean: 0.0,
        spread: norm,
        rstd: rstd(operation, norm),
    };
    let task = Task { walk, x, first };
    match operation.statistic {
        Statistic::MeanVariance => task.run(Deviations, moments, out),
        Statistic::MeanSquare => task.run(squares(), moments, out),
        Statistic::Norm { p: 1.0 } => task.run(magnitudes(), |all| of_norm(all.sum), out),
        Statistic::Norm { p: 2.0 } => task.run(squares(), |all| of_norm(all.sum.sqrt()), out),
        Statistic::Norm { p: f32::INFINITY } => task.run(Largest, |all| of_norm(all.pivot), out),
        Statistic::Norm { p } => {
            let powers = Powers { p: f64::from(p) };
            task.run(powers, |all| of_norm(powers.norm(&all)), out);
        }
        // Has none.
        Statistic::Window(_) => {}
    }
}

/// What the reductions share.
struct Task<'a> {
    walk: &'a Walk,
    x: &'a [f32],
    first: usize,
}

impl Task<'_> {
    fn run(&self, reduction: impl Reduction, finish: impl Fn(Partial) -> Statistics, out: &mut [Statistics]) {
        let mut partials = vec![Partial::EMPTY; out.len()];
        segments::reduce(&self.walk.statistics, self.x, reduction, self.first, &mut partials);
        for (out, partial) in out.iter_mut().zip(partials) {
            *out = finish(partial);
        }
    }
}

/// The statistics that running ones stand for.
pub(super) fn given(operation: &Operation, mean: &[f32], var: &[f32]) -> Vec<Statistics> {
    (mean.iter().zip(var))
        .map(|(&mean, &var)| Statistics {
            mean: f64::from(mean),
            spread: f64::from(var),
            rstd: rstd(operation, f64::from(var)),
        })
        .collect()
}

/// What the variance, the mean square or the norm makes of a segment's elements.
fn rstd(operation: &Operation, spread: f64) -> f64 {
    let eps = f64::from(operation.eps);
    match operation.eps_rule {
        EpsRule::OnDeviation => 1.0 / (spread.sqrt() + eps),
        EpsRule::ZeroIsOne if spread + eps == 0.0 => 1.0,
        EpsRule::OnVariance | EpsRule::ZeroIsOne => 1.0 / (spread + eps).sqrt(),
        // A NaN is not below eps and stays.
        EpsRule::AtLeast if spread < eps => 1.0 / eps,
        EpsRule::ZeroIsZero if spread == 0.0 => 0.0,
        EpsRule::AtLeast | EpsRule::ZeroIsZero => 1.0 / spread,
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
            var += instance.spread;
        }
        *running_mean = blend(*running_mean, mean / instances);
        *running_var = blend(*running_var, bessel * var / instances);
    }
}
