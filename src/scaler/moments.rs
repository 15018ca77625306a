//! Mean and variance of every feature, NaN ignored, rows weighted or not.
//!
//! A block is summed twice in f64: for its means, and for the deviations from them. Blocks merge by the rule of Chan,
//! Golub and LeVeque (1979), in their order.

use super::element::Element;
use super::features::{Block, Features, Values};
use super::parallel::{self, widest};
use crate::error::{Result, bail};

/// Features that are summed side by side.
const LANES: usize = 16;

/// What is known of the values of a feature: how many there are (or the sum of their weights), their mean, and the sum
/// of the squared deviations from it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moment {
    /// Number of values that are not NaN, or the sum of their weights.
    pub count: f64,
    /// The mean; 0 of no value.
    pub mean: f64,
    /// Sum of the squared deviations from the mean.
    pub m2: f64,
}

impl Moment {
    /// The mean; NaN of no value.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 { self.mean } else { f64::NAN }
    }

    /// The variance, divisor `count`; NaN of no value.
    pub fn variance(&self) -> f64 {
        self.m2 / self.count
    }

    /// Takes in the moment of further values.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *other;
            return;
        }
        let count = self.count + other.count;
        let share = other.count / count;
        let distance = other.mean - self.mean;
        *self = Self {
            count,
            mean: self.mean + distance * share,
            m2: self.m2 + (other.m2 + distance * distance * self.count * share),
        };
    }
}

/// The moments of all features.
pub(super) fn moments<T: Element>(x: &[T], features: &Features, weights: Option<&[f64]>) -> Vec<Moment> {
    let blocks = features.blocks();
    let parts = parallel::map(&blocks, |block| {
        let mut buffer = Vec::new();
        let values = block.values(features, x, &mut buffer);
        let mut moments = vec![Moment::default(); values.width];
        match weights {
            Some(weights) => widest!(of_block::<T, true>(values, &weights[block.rows.clone()], &mut moments)),
            None => {
                let (wide, rest) = values.widened(LANES);
                absorb(&mut moments, wide);
                if let Some(rest) = rest {
                    absorb(&mut moments, rest);
                }
            }
        }
        moments
    });
    together(features, &blocks, &parts)
}

/// The moments of what a function makes of the values, which it is given with their features.
pub(super) fn moments_of<T: Element>(
    x: &[T],
    features: &Features,
    function: impl Fn(usize, f64) -> f64 + Sync + Send,
) -> Vec<Moment> {
    let blocks = features.blocks();
    let parts = parallel::map(&blocks, |block| {
        let mut buffer = Vec::new();
        let values = block.values(features, x, &mut buffer);
        let mapped: Vec<f64> = (0..values.rows)
            .flat_map(|row| block.features.clone().zip(values.row(row)))
            .map(|(feature, x)| function(feature, x.wide()))
            .collect();
        moments(&mapped, &Features::columns(values.rows, values.width), None)
    });
    together(features, &blocks, &parts)
}

/// The moments of all blocks, merged in their order.
fn together(features: &Features, blocks: &[Block], parts: &[Vec<Moment>]) -> Vec<Moment> {
    let mut whole = vec![Moment::default(); features.count()];
    for (block, part) in blocks.iter().zip(parts) {
        for (whole, part) in whole[block.features.clone()].iter_mut().zip(part) {
            whole.merge(part);
        }
    }
    whole
}

/// Refuses weights that are none.
pub(super) fn check_weights(weights: &[f64], rows: usize) -> Result<()> {
    if weights.len() != rows {
        bail!(Size, "weights", "has {} values for {rows} rows", weights.len());
    }
    if let Some(row) = weights
        .iter()
        .position(|weight| !(*weight >= 0.0 && weight.is_finite()))
    {
        let weight = weights[row];
        bail!(
            Parameter,
            "weights",
            "is {weight} in row {row}, a finite number of at least 0 is needed"
        );
    }
    Ok(())
}

/// Merges the moments of rows that hold the features several times.
fn absorb<T: Element>(moments: &mut [Moment], values: Values<'_, T>) {
    let mut wide = vec![Moment::default(); values.width];
    widest!(of_block::<T, false>(values, &[], &mut wide));
    let width = moments.len();
    for (i, moment) in wide.iter().enumerate() {
        moments[i % width].merge(moment);
    }
}

#[inline(always)]
fn of_block<T: Element, const WEIGHTED: bool>(values: Values<'_, T>, weights: &[f64], moments: &mut [Moment]) {
    let (tiles, rest) = moments.as_chunks_mut::<LANES>();
    let done = tiles.len() * LANES;
    for (i, tile) in tiles.iter_mut().enumerate() {
        *tile = of_tile::<T, LANES, WEIGHTED>(&values, i * LANES, weights);
    }
    for (i, moment) in rest.iter_mut().enumerate() {
        [*moment] = of_tile::<T, 1, WEIGHTED>(&values, done + i, weights);
    }
}

#[inline(always)]
fn of_tile<T: Element, const N: usize, const WEIGHTED: bool>(
    values: &Values<'_, T>,
    first: usize,
    weights: &[f64],
) -> [Moment; N] {
    if !WEIGHTED {
        let sums = fold(
            values,
            first,
            [[0.0; N]; 1],
            #[inline(always)]
            |[sums], _, x: &[T; N]| {
                for i in 0..N {
                    sums[i] += x[i].wide();
                }
            },
        );
        let count = values.rows as f64;
        let [means] = sums.map(|sums| sums.map(|sum| sum / count));
        if means.iter().all(|mean| mean.is_finite()) {
            let [shifts, squares] = fold(
                values,
                first,
                [[0.0; N]; 2],
                #[inline(always)]
                |[shifts, squares], _, x: &[T; N]| {
                    for i in 0..N {
                        let deviation = x[i].wide() - means[i];
                        shifts[i] += deviation;
                        squares[i] += deviation * deviation;
                    }
                },
            );
            return std::array::from_fn(|i| settle(count, means[i], shifts[i], squares[i]));
        }
    }
    // A value is missing (or infinite): it has a weight of 0.
    let [counts, sums] = fold(
        values,
        first,
        [[0.0; N]; 2],
        #[inline(always)]
        |[counts, sums], row, x: &[T; N]| {
            for i in 0..N {
                let (weight, value) = weigh::<WEIGHTED>(weights, row, x[i].wide());
                counts[i] += weight;
                sums[i] += weight * value;
            }
        },
    );
    let means: [f64; N] = std::array::from_fn(|i| if counts[i] > 0.0 { sums[i] / counts[i] } else { 0.0 });
    let [shifts, squares] = fold(
        values,
        first,
        [[0.0; N]; 2],
        #[inline(always)]
        |[shifts, squares], row, x: &[T; N]| {
            for i in 0..N {
                let (weight, value) = weigh::<WEIGHTED>(weights, row, x[i].wide());
                let deviation = value - means[i];
                shifts[i] += weight * deviation;
                squares[i] += weight * (deviation * deviation);
            }
        },
    );
    std::array::from_fn(|i| settle(counts[i], means[i], shifts[i], squares[i]))
}

/// What a value counts, and itself; 0 if it is missing.
#[inline(always)]
fn weigh<const WEIGHTED: bool>(weights: &[f64], row: usize, value: f64) -> (f64, f64) {
    let weight = if WEIGHTED { weights[row] } else { 1.0 };
    if value.is_nan() { (0.0, 0.0) } else { (weight, value) }
}

/// What the deviations from something near the mean say.
#[inline(always)]
fn settle(count: f64, near: f64, shift: f64, squares: f64) -> Moment {
    if count == 0.0 {
        return Moment::default();
    }
    let correction = shift / count;
    let m2 = squares - shift * correction;
    Moment {
        count,
        mean: near + correction,
        // (A NaN stays.)
        m2: if m2 < 0.0 { 0.0 } else { m2 },
    }
}

/// Folds the rows of some features.
#[inline(always)]
pub(super) fn fold<T: Element, A, const N: usize>(
    values: &Values<'_, T>,
    first: usize,
    mut so_far: A,
    mut step: impl FnMut(&mut A, usize, &[T; N]),
) -> A {
    for row in 0..values.rows {
        if let Some(x) = values.row(row)[first..].first_chunk() {
            step(&mut so_far, row, x);
        }
    }
    so_far
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In two passes, one value after the other.
    fn naive(x: &[f64], weights: &[f64]) -> Moment {
        let valid = || x.iter().zip(weights).filter(|(x, _)| !x.is_nan());
        let count: f64 = valid().map(|(_, w)| w).sum();
        let mean = valid().map(|(x, w)| x * w).sum::<f64>() / count;
        let m2 = valid().map(|(x, w)| w * (x - mean).powi(2)).sum();
        Moment { count, mean, m2 }
    }

    fn check<T: Element>(features: Features, value: impl Fn(usize, usize) -> T) {
        let mut x = vec![T::default(); features.span()];
        for row in 0..features.rows() {
            for feature in 0..features.count() {
                x[features.offset(row, feature)] = value(row, feature);
            }
        }
        let weights: Vec<f64> = (0..features.rows()).map(|row| (row % 4) as f64 / 2.0).collect();
        let ones = vec![1.0; features.rows()];
        for (given, weights) in [(Some(&weights[..]), &weights), (None, &ones)] {
            for (feature, moment) in moments(&x, &features, given).into_iter().enumerate() {
                let values: Vec<f64> = (0..features.rows()).map(|row| value(row, feature).wide()).collect();
                let expected = naive(&values, weights);
                let close = |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-12 * scale;
                assert_eq!(moment.count, expected.count);
                assert!(
                    close(moment.mean, expected.mean, expected.mean.abs()),
                    "{moment:?} {expected:?}"
                );
                assert!(
                    close(moment.m2, expected.m2, 10.0 * expected.m2),
                    "{moment:?} {expected:?}"
                );
            }
        }
    }

    #[test]
    fn moments_are_those_of_two_passes() {
        let value = |row: usize, feature: usize| ((row * row + 7 * feature) % 101) as f64 / 3.0 + 1e3 * feature as f64;
        let holes = |row, feature| {
            if (row + feature) % 5 == 0 {
                f64::NAN
            } else {
                value(row, feature)
            }
        };
        for features in [
            Features::columns(5000, 7),
            Features::columns(999, 33),
            Features::columns(200, 513),
            Features::columns(17, 1),
            Features::samples(3, 40_001),
            Features::channels(9, 4, 70),
            Features::channels(9, 4, 10).strides(60, 1, 5),
        ] {
            check(features, value);
            check(features, holes);
            check(features, |row, feature| value(row, feature) as f32);
            check(features, |row, feature| ((row * row + feature) % 251) as u8);
        }
    }

    #[test]
    fn a_constant_has_no_variance_and_nothing_no_mean() {
        let x = [0.1f32; 5001];
        let [moment] = moments(&x, &Features::whole(5001), None)[..] else {
            panic!()
        };
        assert_eq!((moment.mean, moment.m2), (f64::from(0.1f32), 0.0));
        let [moment] = moments(&[f32::NAN; 9], &Features::whole(9), None)[..] else {
            panic!()
        };
        assert!(moment.mean().is_nan() && moment.variance().is_nan());
        assert_eq!(moment.count, 0.0);
    }

    #[test]
    fn huge_and_tiny_values_are_exact_enough() {
        for scale in [1e37f32, 1e-38, 1e-44] {
            let x: Vec<f32> = (0..1000).map(|i| scale * (i % 10) as f32).collect();
            let [moment] = moments(&x, &Features::whole(1000), None)[..] else {
                panic!()
            };
            let values: Vec<f64> = x.iter().copied().map(f64::from).collect();
            let expected = naive(&values, &[1.0; 1000]);
            assert!((moment.m2 / expected.m2 - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn weights_are_checked() {
        assert!(check_weights(&[1.0], 2).is_err());
        assert!(check_weights(&[1.0, -1.0], 2).is_err());
        assert!(check_weights(&[1.0, f64::NAN], 2).is_err());
        assert!(check_weights(&[1.0, 0.0], 2).is_ok());
    }
}
