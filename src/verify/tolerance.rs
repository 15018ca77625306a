//! How exact a result must be: a few f32 roundings of the natural magnitude of each output.

use super::case::{Case, Norm};
use super::compare::Tolerance;
use super::expected::Expected;

/// Half a unit in the last place of 1: the relative error of one f32 rounding.
pub(super) const U: f64 = 1.0 / (1u32 << 24) as f64;

/// The tolerance of every output of a case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerances {
    /// Of y.
    pub y: Tolerance,
    /// Of the means, taken from the records as m + e in f64.
    pub mean: Tolerance,
    /// Of the reciprocal scales, taken from the records as r * scale in f64.
    pub rstd: Tolerance,
    /// Of the running means.
    pub running_mean: Tolerance,
    /// Of the running variances.
    pub running_var: Tolerance,
}

/// Tight tolerances: those that statistics about a pivot with a corrected mean meet on every adapter.
///
/// With u = 2^-24 and n elements a segment, every bound counts K = 12 + log2 n roundings:
/// - the application is five roundings (subtract, scale, correct, weight, bias); the scale costs up to 6.5 more,
///   since WGSL allows 2.5 ULP in a division (halved by the root) and 2 ULP in inverseSqrt, and one ULP is 2 u;
/// - partials merge in a tree, which costs about one more rounding a level.
///
/// | output | tolerance |
/// |---|---|
/// | y | K u (max \|weight\| max \|x_hat\| + max \|bias\|); exact where x_hat is 0 everywhere, so that y is bias |
/// | mean | K u std, and relatively K u^2, because m + e carries two f32; exact for RMS norm |
/// | rstd | relatively K u |
/// | running | K u (\|old\| + \|new\|), for the mean also rate (K u std + 2 u max \|mean\|); exact where not updated |
///
/// For other powers than 1, 2 and infinity the p-norm takes 12 roundings for the powers of its terms, and for their sum
/// log2 n and 32 (of a chunk, all of which may go one way where terms are equal), both divided by p when the root is
/// taken, and 4 for the root; the local response norm takes as many
/// for its sum as there are levels in the window, times beta, and 4 more for the power. Both are relative to y.
///
/// None has a factor |mean| / std. Where a difference may be subnormal, it may have been flushed to 0 before it
/// was scaled: y and mean may be off by the smallest normal number in x (times rstd and weight in y).
pub fn tolerances(case: &Case, expected: &Expected) -> Tolerances {
    let rstd = expected.rstd.as_deref().unwrap_or_default();
    let length = (case.x.len() / rstd.len().max(1)).max(1);
    let length = if case.norm.uses_running() { 1 } else { length };
    let k = roundings(case, length);
    let weight = case
        .weight
        .as_ref()
        .map_or(1.0, |w| largest(w.iter().map(|&w| w.into())));
    let bias = case.bias.as_ref().map_or(0.0, |b| largest(b.iter().map(|&b| b.into())));
    let x_hat = match (&case.weight, &case.bias) {
        (None, None) => largest(expected.y.iter().copied()),
        _ if expected.y.is_empty() => 0.0,
        _ => largest(case.expected_x_hat()),
    };
    let flushed = f64::from(f32::MIN_POSITIVE);
    let std = largest_deviation(case, rstd);
    let y = match x_hat {
        0.0 => Tolerance::default(),
        _ if case.weight.is_none() && case.bias.is_none() && case.norm.is_product() => Tolerance {
            rtol: k * U,
            atol: flushed * (1.0 + largest(rstd.iter().copied())),
        },
        _ => absolute(k * U * (weight * x_hat + bias) + flushed * (1.0 + weight * largest(rstd.iter().copied()))),
    };
    let mean = match case.norm {
        Norm::Rms { .. } | Norm::Lp { .. } => Tolerance::default(),
        _ => Tolerance {
            rtol: k * U * U,
            atol: k * U * std + flushed,
        },
    };
    let (running_mean, running_var) = running_tolerances(case, expected, k, std);
    Tolerances {
        y,
        mean,
        rstd: Tolerance { rtol: k * U, atol: 0.0 },
        running_mean,
        running_var,
    }
}

/// Roundings that a result may be off by.
pub(super) fn roundings(case: &Case, length: usize) -> f64 {
    let levels = (length as f64).log2();
    match case.norm {
        Norm::Lp { p, .. } if ![1.0, 2.0, f32::INFINITY].contains(&p) => {
            let p = f64::from(p);
            12.0 + (levels + 12.0 + 32.0) / p + 4.0
        }
        Norm::LocalResponse { size, beta, .. } => 16.0 + f64::from(beta).abs() * (4.0 + (size as f64).log2()),
        _ => 12.0 + levels,
    }
}

fn running_tolerances(case: &Case, expected: &Expected, k: f64, std: f64) -> (Tolerance, Tolerance) {
    let update = case.norm.running().and_then(|running| running.update);
    let (Some(update), Some((old_mean, old_var))) = (update, &case.running) else {
        return Default::default();
    };
    let rate = case.update_rate(&update);
    // 1 - rate is formed in f32: its rounding is relative to 1, however small it is.
    let kept = (1.0 - rate).abs().max(1.0);
    let magnitude = |old: &[f32], new: &Option<Vec<f64>>| {
        let new = new.as_deref().unwrap_or_default();
        largest(
            old.iter()
                .zip(new)
                .map(|(&old, new)| kept * f64::from(old).abs() + new.abs()),
        )
    };
    // Instances that cancel: their means are averaged with compensation, but each has been rounded, and its share too.
    let means = expected.mean.as_deref().unwrap_or_default();
    let terms = 2.0 * U * rate.abs() * largest(means.iter().copied());
    let flushed = f64::from(f32::MIN_POSITIVE);
    (
        absolute(k * U * (magnitude(old_mean, &expected.running_mean) + rate.abs() * std) + terms + flushed),
        absolute(k * U * magnitude(old_var, &expected.running_var) + flushed),
    )
}

/// A bound of the largest standard deviation of a segment: 1 / rstd, which eps may dominate, and half the range
/// of all values, which no segment exceeds.
fn largest_deviation(case: &Case, rstd: &[f64]) -> f64 {
    let finite = || case.x.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x));
    let (low, high) = (finite().fold(f64::MAX, f64::min), finite().fold(f64::MIN, f64::max));
    let half_range = ((high - low) / 2.0).max(0.0);
    largest(rstd.iter().map(|rstd| rstd.recip().min(half_range)))
}

/// The largest magnitude among the values that f32 can hold.
fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    let magnitudes = values.into_iter().map(f64::abs);
    magnitudes.filter(|&v| v <= f32::MAX.into()).fold(0.0, f64::max)
}

pub(super) fn absolute(atol: f64) -> Tolerance {
    Tolerance { rtol: 0.0, atol }
}
