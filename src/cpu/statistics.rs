use super::Job;
use super::lanes::Line;
use super::reduction::{Deviations, Largest, Magnitudes, Partial, Powers, Reduction, Squares};
use super::segments;
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

impl Statistics {
    /// The map that they make with a weight and a bias, if f32 is exact enough for it.
    ///
    /// The center is the mean's f32, of which a difference is exact or nearly so, and the offset has its rest.
    #[inline]
    pub fn line(&self, weight: f32, bias: f32) -> Option<Line> {
        const FAR: f64 = (1u128 << 100) as f64;
        // What is NaN or 0 makes NaN or 0 in f32 too.
        let ordinary = |value: f64| value.is_nan() || value == 0.0 || (1.0 / FAR..FAR).contains(&value.abs());
        let factor = self.rstd * f64::from(weight);
        let center = self.mean as f32;
        if !ordinary(self.rstd) || !ordinary(factor) || self.mean.abs() > FAR {
            return None;
        }
        Some(Line {
            center,
            factor: factor as f32,
            offset: (f64::from(bias) - (self.mean - f64::from(center)) * factor) as f32,
        })
    }
}

/// What is done with an operation's reduction.
pub(super) trait Visitor {
    /// `finish` makes statistics of a reduced segment.
    fn visit<R: Reduction>(self, reduction: R, finish: impl Fn(Partial) -> Statistics);
}

/// Takes the visitor to the reduction that the operation's statistic is.
pub(super) fn visit(operation: &Operation, visitor: impl Visitor) {
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
    match operation.statistic {
        Statistic::MeanVariance => visitor.visit(Deviations, moments),
        Statistic::MeanSquare => visitor.visit(Squares, moments),
        Statistic::Norm { p: 1.0 } => visitor.visit(Magnitudes, |all| of_norm(all.sum)),
        Statistic::Norm { p: 2.0 } => visitor.visit(Squares, |all| of_norm(all.sum.sqrt())),
        Statistic::Norm { p: f32::INFINITY } => visitor.visit(Largest, |all| of_norm(all.pivot)),
        Statistic::Norm { p } => {
            let powers = Powers { p: f64::from(p) };
            visitor.visit(powers, |all| of_norm(powers.norm(&all)));
        }
        // Has none.
        Statistic::Window(_) => {}
    }
}

/// The statistics of the segments from `first` on, one for each of `out`.
pub(super) fn compute(job: &Job<'_>, threads: usize, first: usize, out: &mut [Statistics]) {
    visit(
        job.operation,
        Segments {
            job,
            threads,
            first,
            out,
        },
    );
}

struct Segments<'a> {
    job: &'a Job<'a>,
    threads: usize,
    first: usize,
    out: &'a mut [Statistics],
}

impl Visitor for Segments<'_> {
    fn visit<R: Reduction>(self, reduction: R, finish: impl Fn(Partial) -> Statistics) {
        let mut partials = vec![Partial::EMPTY; self.out.len()];
        let task = segments::Task {
            geometry: &self.job.walk.statistics,
            x: self.job.x,
            reduction,
            level: self.job.level,
        };
        task.reduce(self.threads, self.first, &mut partials);
        for (out, partial) in self.out.iter_mut().zip(partials) {
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
    (running_mean, running_var): (&mut [f32], &mut [f32]),
    mut batches: Option<&mut [u32]>,
) {
    let (n, instances) = (length as f64, f64::from(update.instances));
    // NaN for n = 1: a single value has no unbiased variance.
    let bessel = match update.variance {
        RunningVariance::Biased => 1.0,
        RunningVariance::Unbiased if length > 1 => n / (n - 1.0),
        RunningVariance::Unbiased => f64::NAN,
    };
    let blend = |old: f32, new: f64, rate: f64| ((1.0 - rate) * f64::from(old) + rate * new) as f32;
    let channels = update.channels as usize;
    for (c, (running_mean, running_var)) in running_mean.iter_mut().zip(running_var).enumerate() {
        let (mut mean, mut var) = (0.0, 0.0);
        for instance in statistics.iter().skip(c).step_by(channels) {
            mean += instance.mean;
            var += instance.spread;
        }
        let (mean, var) = (mean / instances, bessel * var / instances);
        // As f32, which running statistics are.
        if update.skip_non_finite && !((mean as f32).is_finite() && (var as f32).is_finite()) {
            continue;
        }
        let rate = match (update.rate, &mut batches) {
            (Some(rate), _) => f64::from(rate),
            (None, Some(batches)) => {
                batches[c] = batches[c].saturating_add(1);
                1.0 / f64::from(batches[c])
            }
            (None, None) => continue,
        };
        *running_mean = blend(*running_mean, mean, rate);
        *running_var = blend(*running_var, var, rate);
    }
}
