//! The smallest and the largest value of every feature, NaN ignored.

use super::element::Element;
use super::features::{Features, Values};
use super::moments::fold;
use super::parallel::{self, widest};

/// Features that are compared side by side.
const LANES: usize = 32;

/// The smallest and the largest value of a feature, as f64. Of no value (or none but NaN) the smallest is +∞ and the
/// largest -∞.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Extremes {
    pub(super) const NONE: Self = Self {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };

    /// Both; NaN of no value.
    pub fn values(&self) -> (f64, f64) {
        match self.min <= self.max {
            true => (self.min, self.max),
            false => (f64::NAN, f64::NAN),
        }
    }

    /// The largest magnitude; NaN of no value.
    pub fn magnitude(&self) -> f64 {
        let (min, max) = self.values();
        if -min > max { -min } else { max }
    }

    /// Takes in the extremes of further values.
    pub fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) fn is_infinite(&self) -> bool {
        self.min <= self.max && (self.min == f64::NEG_INFINITY || self.max == f64::INFINITY)
    }
}

/// The extremes of all features.
pub(super) fn extremes<T: Element>(x: &[T], features: &Features) -> Vec<Extremes> {
    let blocks = features.blocks();
    let parts = parallel::map(&blocks, |block| {
        let mut buffer = Vec::new();
        let values = block.values(features, x, &mut buffer);
        let mut extremes = vec![Extremes::NONE; values.width];
        let (wide, rest) = values.widened(LANES);
        absorb(&mut extremes, wide);
        if let Some(rest) = rest {
            absorb(&mut extremes, rest);
        }
        extremes
    });
    let mut whole = vec![Extremes::NONE; features.count()];
    for (block, part) in blocks.iter().zip(parts) {
        for (whole, part) in whole[block.features.clone()].iter_mut().zip(&part) {
            whole.merge(part);
        }
    }
    whole
}

/// Merges the extremes of rows that hold the features several times.
fn absorb<T: Element>(extremes: &mut [Extremes], values: Values<'_, T>) {
    let mut wide = vec![(T::HIGHEST, T::LOWEST); values.width];
    widest!(of_block(values, &mut wide));
    let width = extremes.len();
    for (i, &(min, max)) in wide.iter().enumerate() {
        // (A -0 becomes 0: which of both is met first depends on the order of chunks.)
        let (min, max) = (min.wide() + 0.0, max.wide() + 0.0);
        extremes[i % width].merge(&Extremes { min, max });
    }
}

#[inline(always)]
fn of_block<T: Element>(values: Values<'_, T>, extremes: &mut [(T, T)]) {
    let (tiles, rest) = extremes.as_chunks_mut::<LANES>();
    let done = tiles.len() * LANES;
    for (i, tile) in tiles.iter_mut().enumerate() {
        *tile = of_tile(&values, i * LANES);
    }
    for (i, extremes) in rest.iter_mut().enumerate() {
        [*extremes] = of_tile(&values, done + i);
    }
}

#[inline(always)]
fn of_tile<T: Element, const N: usize>(values: &Values<'_, T>, first: usize) -> [(T, T); N] {
    let [mins, maxs] = fold(
        values,
        first,
        [[T::HIGHEST; N], [T::LOWEST; N]],
        #[inline(always)]
        |[mins, maxs], _, x: &[T; N]| {
            for i in 0..N {
                mins[i] = mins[i].smaller(x[i]);
                maxs[i] = maxs[i].larger(x[i]);
            }
        },
    );
    std::array::from_fn(|i| (mins[i], maxs[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_ignore_nan() {
        for features in [
            Features::columns(3000, 7),
            Features::columns(100, 600),
            Features::samples(3, 40_000),
            Features::channels(3, 2, 11),
        ] {
            let mut x = vec![0.0f32; features.elements()];
            let mut expected = vec![Extremes::NONE; features.count()];
            for row in 0..features.rows() {
                for (feature, expected) in expected.iter_mut().enumerate() {
                    let value = ((row * 7919 + feature * 31) % 1009) as f32 - 500.0;
                    let missing = (row + feature) % 3 == 0;
                    x[features.offset(row, feature)] = if missing { f32::NAN } else { value };
                    if !missing {
                        let value = f64::from(value);
                        expected.merge(&Extremes { min: value, max: value });
                    }
                }
            }
            assert_eq!(extremes(&x, &features), expected);
        }
    }

    #[test]
    fn nothing_has_none() {
        let [none] = extremes(&[f32::NAN; 5], &Features::whole(5))[..] else {
            panic!()
        };
        assert!(none.values().0.is_nan() && none.magnitude().is_nan() && !none.is_infinite());
        let [some] = extremes(&[f32::INFINITY, -7.0], &Features::whole(2))[..] else {
            panic!()
        };
        assert!(some.is_infinite());
        assert_eq!(some.values(), (-7.0, f64::INFINITY));
        let [zero] = extremes(&[-0.0f32], &Features::whole(1))[..] else {
            panic!()
        };
        assert!(zero.min.is_sign_positive());
    }
}
