//! Exact quantiles.

use super::element::Element;
use super::features::Features;
use super::ranks::{Rank, Ranks};
use super::select;
use crate::error::{Result, bail};

/// What a quantile between two values is (numpy's names).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Interpolation {
    /// On the line between both.
    #[default]
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// The nearer one; in the middle, that of even rank.
    Nearest,
    /// The mean of both.
    Midpoint,
}

/// Checks quantiles, from 0 to 1.
pub(super) fn ranks(quantiles: &[f64], interpolation: Interpolation) -> Result<Vec<Rank>> {
    if let Some(q) = quantiles.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        bail!(Parameter, "quantiles", "{q} is not between 0 and 1");
    }
    Ok(quantiles.iter().map(|&q| Rank { q, interpolation }).collect())
}

/// Exact quantiles of every feature, NaN ignored: `[feature][quantile]`, the quantiles in the order of `quantiles`,
/// each from 0 to 1. NaN where a feature has no value but NaN. Infinities are values like any other.
///
/// Of n values in order, quantile q is the one of rank `(n - 1) q`, counted from 0, interpolated in f64 where that is
/// between two. By radix selection: all quantiles in three passes over f32, whatever their number. A -0 counts as 0.
///
/// ```
/// use wgnorm::scaler::{Features, Interpolation, quantiles};
/// // Two columns of four rows.
/// let x = [1.0f32, f32::NAN, 2.0, 8.0, 3.0, 6.0, 10.0, 7.0];
/// let found = quantiles(&x, Features::columns(4, 2), &[0.5, 1.0], Interpolation::Linear)?;
/// assert_eq!(found, [[2.5, 10.0], [7.0, 8.0]]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for a quantile outside of 0 to 1,
/// [`Size`](crate::ErrorKind::Size) if `x` is too short, [`Data`](crate::ErrorKind::Data) if there are no rows.
pub fn quantiles<T: Element>(
    x: &[T],
    features: Features,
    quantiles: &[f64],
    interpolation: Interpolation,
) -> Result<Vec<Vec<f64>>> {
    let ranks = ranks(quantiles, interpolation)?;
    features.check("x", x.len())?;
    features.check_rows("x")?;
    let (selected, _) = select::select(x, &features, Ranks::Quantiles(ranks.clone()))?;
    Ok((selected.iter())
        .map(|selected| ranks.iter().map(|rank| selected.at(rank)).collect())
        .collect())
}

/// The exact median of every feature, NaN ignored: [`quantiles`] at 0.5.
///
/// # Errors
/// As [`quantiles`].
pub fn median<T: Element>(x: &[T], features: Features) -> Result<Vec<f64>> {
    Ok(quantiles(x, features, &[0.5], Interpolation::Linear)?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Interpolation; 5] = [
        Interpolation::Linear,
        Interpolation::Lower,
        Interpolation::Higher,
        Interpolation::Nearest,
        Interpolation::Midpoint,
    ];

    /// By sorting.
    fn naive(values: impl Iterator<Item = f64>, rank: &Rank) -> f64 {
        let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        rank.of(values.len() as u64, |rank| values[rank as usize] + 0.0)
    }

    fn check<T: Element>(features: Features, value: impl Fn(usize) -> T) {
        let x: Vec<T> = (0..features.span()).map(value).collect();
        let qs = [0.0, 1.0, 0.25, 0.5, 0.75, 0.1, 0.333, 0.999, 0.5];
        // (Sorting takes its time.)
        let few = if features.elements() < 1000 {
            &ALL[..]
        } else {
            &ALL[..1]
        };
        for &interpolation in few {
            let found = quantiles(&x, features, &qs, interpolation).unwrap();
            for (feature, found) in found.iter().enumerate() {
                for (found, rank) in found.iter().zip(ranks(&qs, interpolation).unwrap()) {
                    let values = (0..features.rows()).map(|row| x[features.offset(row, feature)].wide());
                    let expected = naive(values, &rank);
                    assert!(
                        found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                        "{found} {expected} {rank:?} {features:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_sorted_values() {
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<f64> = (0..200_000)
            .map(|_| (random.f64() + random.f64() + random.f64() - 1.5) * 10f64.powi(random.i32(-3..4)))
            .collect();
        let features = [
            Features::columns(1, 5),
            Features::columns(2, 5),
            Features::columns(5001, 7),
            Features::columns(100, 600),
            Features::samples(3, 33_000),
            Features::channels(5, 3, 17).strides(100, 20, 1),
        ];
        for features in features {
            check(features, |i| noise[i]);
            check(features, |i| noise[i] as f32);
            check(features, |i| if i % 3 == 0 { f32::NAN } else { noise[i] as f32 });
            check(features, |i| noise[i].round() as f32 * -0.0);
            check(features, |i| (noise[i] * 3.0).round() as f32);
            check(features, |i| i as f32);
            check(features, |i| -(i as f32));
            check(features, |_| 7.25f32);
            check(features, |i| {
                f32::from_bits(i as u32 % 1000) * if i % 2 == 0 { 1.0 } else { -1.0 }
            });
            check(features, |i| if i % 5 == 0 { f64::INFINITY } else { -noise[i] });
            check(features, |i| (noise[i] * 50.0) as i64 as u8);
        }
        check(Features::whole(9), |_| f32::NAN);
    }

    #[test]
    fn bad_quantiles_are_refused() {
        for q in [-0.1, 1.1, f64::NAN] {
            let error = quantiles(&[1.0f32], Features::whole(1), &[q], Interpolation::Linear).unwrap_err();
            assert_eq!(error.argument(), "quantiles");
        }
        assert!(median::<f32>(&[], Features::columns(0, 2)).is_err());
        assert!(median(&[1.0f32], Features::columns(1, 2)).is_err());
        assert!(median::<f32>(&[], Features::columns(3, 0)).unwrap().is_empty());
    }
}
