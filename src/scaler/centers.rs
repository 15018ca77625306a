//! Robust centers: means that some bad rows, whatever is in them, do not carry away.

use super::element::Element;
use super::features::{Block, Features, Values};
use super::parallel;
use super::quantile::Interpolation;
use super::ranks::{Cut, Rank, Ranks};
use super::select::{self, Selected};
use crate::error::{Result, bail};

/// Features whose blocks of rows are summed together: what a line of a cache holds.
const TOGETHER: usize = 16;

/// A sum in f64 whose error does not grow with the number of values (Neumaier 1974), and how many there are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    sum: f64,
    rest: f64,
    count: u64,
}

impl Sum {
    #[inline(always)]
    fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        self.rest += if self.sum.abs() >= x.abs() {
            (self.sum - sum) + x
        } else {
            (x - sum) + self.sum
        };
        self.sum = sum;
        self.count += 1;
    }

    /// Of so many values with this mean.
    pub fn of_mean(mean: f64, count: f64) -> Self {
        Self {
            sum: mean * count,
            rest: 0.0,
            count: count as u64,
        }
    }

    pub fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        self.add(other.sum);
        self.rest += other.rest;
        self.count = count;
    }

    fn value(&self) -> f64 {
        // (Of an infinity there is no rest.)
        if self.sum.is_finite() {
            self.sum + self.rest
        } else {
            self.sum
        }
    }

    /// The mean, if there are values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.value() / self.count as f64)
    }
}

/// The median of the means of `blocks` blocks of rows, of every feature: row i is in block i modulo `blocks`. Of n values
/// with variance v, with probability at least `1 - exp(-blocks / 8)` it is within `sqrt(4 v blocks / n)` of the mean
/// (Lugosi and Mendelson 2019), whatever the distribution; fewer bad rows than half of the blocks do not carry it away.
///
/// NaN is ignored, and so are blocks without a value; NaN of no value. One block gives the mean, as many as rows the
/// median.
///
/// ```
/// use wgnorm::scaler::{Features, median_of_means};
/// // The third row of six is poisoned, and with it one block of three.
/// let x = [1.0f32, 2.0, 1e9, 3.0, 4.0, 5.0];
/// assert_eq!(median_of_means(&x, Features::whole(6), 3)?, [3.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for no blocks or more than rows,
/// [`Size`](crate::ErrorKind::Size) if `x` is too short, [`Data`](crate::ErrorKind::Data) if there are no rows.
pub fn median_of_means<T: Element>(x: &[T], features: Features, blocks: usize) -> Result<Vec<f64>> {
    features.check("x", x.len())?;
    features.check_rows("x")?;
    let (rows, count) = (features.rows(), features.count());
    check_blocks(blocks, rows as u64)?;
    let tiles: Vec<_> = (0..count)
        .step_by(TOGETHER)
        .map(|first| first..(first + TOGETHER).min(count))
        .collect();
    let found = parallel::map(&tiles, |tile| {
        let width = tile.len();
        let mut sums = vec![Sum::default(); blocks * width];
        let rows = (0..features.outer.extent)
            .flat_map(|outer| (0..features.inner.extent).map(move |inner| (outer, inner)))
            .map(|(outer, inner)| outer * features.outer.stride + inner * features.inner.stride);
        // (Blocks take turns: that is the modulus, without a division.)
        let mut block = 0;
        for row in rows {
            for (feature, sum) in tile.clone().zip(&mut sums[block * width..]) {
                let x = x[row + feature * features.feature.stride].wide();
                if !x.is_nan() {
                    sum.add(x);
                }
            }
            block = if block + 1 == blocks { 0 } else { block + 1 };
        }
        (0..width)
            .map(|i| median_of(sums.iter().skip(i).step_by(width).filter_map(Sum::mean)))
            .collect::<Vec<_>>()
    });
    Ok(found.concat())
}

/// Refuses no blocks, and more than rows.
pub(super) fn check_blocks(blocks: usize, rows: u64) -> Result<()> {
    if blocks == 0 || blocks as u64 > rows {
        bail!(
            Parameter,
            "blocks",
            "are {blocks}, 1 to {rows} are needed for {rows} rows"
        );
    }
    Ok(())
}

/// The median of means.
pub(super) fn median_of(means: impl Iterator<Item = f64>) -> f64 {
    let mut means: Vec<f64> = means.collect();
    means.sort_unstable_by(f64::total_cmp);
    let median = Rank {
        q: 0.5,
        interpolation: Interpolation::Linear,
    };
    median.of(means.len() as u64, |rank| means[rank as usize])
}

/// The mean of every feature without its smallest and largest values: of n values, `floor(lower n)` and `floor(upper n)`
/// are left out (scipy's `trim_mean`, with a share for each end). Exact order statistics tell which; NaN is ignored, and
/// NaN the result of no value.
///
/// ```
/// use wgnorm::scaler::{Features, trimmed_mean};
/// let x = [3.0f32, 1.0, 1e9, 2.0, 4.0];
/// assert_eq!(trimmed_mean(&x, Features::whole(5), (0.2, 0.2))?, [3.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for a share outside of 0 to below 0.5,
/// [`Size`](crate::ErrorKind::Size) if `x` is too short, [`Data`](crate::ErrorKind::Data) if there are no rows.
pub fn trimmed_mean<T: Element>(x: &[T], features: Features, shares: (f64, f64)) -> Result<Vec<f64>> {
    let cut = check_shares(shares)?;
    let found = ends(x, &features, cut)?;
    Ok((found.iter())
        .map(
            |Ends {
                 low,
                 high,
                 tally,
                 count,
             }| {
                let kept = cut.kept(*count);
                let (lows, highs) = (tally.lows - kept.start, tally.highs - (count - kept.end));
                mean(tally, (*low, lows), (*high, highs))
            },
        )
        .collect())
}

/// The mean of every feature with its smallest and largest values replaced by the next ones: of n values, the
/// `floor(lower n)` smallest become the smallest of the others, and likewise at the upper end (the mean of scipy's
/// `mstats.winsorize`). NaN is ignored, and NaN the result of no value.
///
/// ```
/// use wgnorm::scaler::{Features, winsorized_mean};
/// let x = [3.0f32, 1.0, 1e9, 2.0, 4.0];
/// assert_eq!(winsorized_mean(&x, Features::whole(5), (0.2, 0.2))?, [3.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// As [`trimmed_mean`].
pub fn winsorized_mean<T: Element>(x: &[T], features: Features, shares: (f64, f64)) -> Result<Vec<f64>> {
    let found = ends(x, &features, check_shares(shares)?)?;
    Ok((found.iter())
        .map(|Ends { low, high, tally, .. }| mean(tally, (*low, tally.lows), (*high, tally.highs)))
        .collect())
}

pub(super) fn check_shares((lower, upper): (f64, f64)) -> Result<Cut> {
    let is_share = |share: f64| (0.0..0.5).contains(&share);
    if !is_share(lower) || !is_share(upper) {
        bail!(
            Parameter,
            "shares",
            "are {lower} and {upper}, each has to be from 0 to below 0.5"
        );
    }
    Ok(Cut { lower, upper })
}

/// What is known of a feature, by the first and the last value that are kept.
struct Ends {
    low: f64,
    high: f64,
    count: u64,
    tally: Tally,
}

/// Values beyond the ends, with those at them, and the sum of those between.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    lows: u64,
    highs: u64,
    between: Sum,
}

fn ends<T: Element>(x: &[T], features: &Features, cut: Cut) -> Result<Vec<Ends>> {
    features.check("x", x.len())?;
    features.check_rows("x")?;
    let (selected, _) = select::select(x, features, Ranks::Kept(cut))?;
    let ends: Vec<(f64, f64)> = (selected.iter())
        .map(|selected| {
            let kept = cut.kept(selected.count);
            (selected.value(kept.start), selected.value(kept.end.saturating_sub(1)))
        })
        .collect();
    let tallies = tallies(x, features, &ends);
    let of_feature = |((selected, (low, high)), tally): ((&Selected, (f64, f64)), Tally)| Ends {
        low,
        high,
        count: selected.count,
        tally,
    };
    Ok(selected.iter().zip(ends).zip(tallies).map(of_feature).collect())
}

fn tallies<T: Element>(x: &[T], features: &Features, ends: &[(f64, f64)]) -> Vec<Tally> {
    let blocks = features.blocks();
    let parts = parallel::map(&blocks, |block| {
        let mut buffer = Vec::new();
        let mut tallies = vec![Tally::default(); block.features.len()];
        tally(block, block.values(features, x, &mut buffer), ends, &mut tallies);
        tallies
    });
    let mut whole = vec![Tally::default(); features.count()];
    for (block, part) in blocks.iter().zip(parts) {
        for (whole, part) in whole[block.features.clone()].iter_mut().zip(&part) {
            whole.lows += part.lows;
            whole.highs += part.highs;
            whole.between.merge(&part.between);
        }
    }
    whole
}

fn tally<T: Element>(block: &Block, values: Values<'_, T>, ends: &[(f64, f64)], tallies: &mut [Tally]) {
    for row in 0..values.rows {
        let of_row = values.row(row).iter().zip(&ends[block.features.clone()]);
        for ((x, &(low, high)), tally) in of_row.zip(&mut *tallies) {
            let x = x.wide();
            tally.lows += u64::from(x <= low);
            tally.highs += u64::from(x >= high);
            if x > low && x < high {
                tally.between.add(x);
            }
        }
    }
}

/// The mean of the values between the ends, and of so many at each.
fn mean(tally: &Tally, (low, lows): (f64, u64), (high, highs): (f64, u64)) -> f64 {
    // Equal ends are each other's, and all there is.
    if low == high || low.is_nan() {
        return low;
    }
    let mut sum = tally.between;
    for (end, times) in [(low, lows), (high, highs)] {
        if times > 0 {
            sum.add(end * times as f64);
        }
    }
    sum.value() / (tally.between.count + lows + highs) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(x: &[f32], features: &Features, feature: usize) -> Vec<f64> {
        (0..features.rows())
            .map(|row| f64::from(x[features.offset(row, feature)]))
            .collect()
    }

    fn layouts() -> Vec<(Features, Vec<f32>)> {
        let mut random = fastrand::Rng::with_seed(11);
        [
            Features::columns(1, 3),
            Features::columns(2, 3),
            Features::columns(501, 21),
            Features::samples(2, 33_000),
            Features::channels(5, 3, 17).strides(100, 20, 1),
        ]
        .into_iter()
        .map(|features| {
            let value = |i: usize| match random.u32(0..12) {
                0 => f32::NAN,
                1 => random.f32() * 1e9,
                2..5 => 3.0,
                _ => random.f32() - i as f32 % 7.0,
            };
            (features, (0..features.span()).map(value).collect())
        })
        .collect()
    }

    #[track_caller]
    fn assert_close(found: f64, expected: f64) {
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(
            same || (found - expected).abs() <= 1e-13 * expected.abs(),
            "{found} {expected}"
        );
    }

    #[test]
    fn cut_means_are_those_of_sorted_values() {
        for (features, x) in layouts() {
            for (lower, upper) in [(0.0, 0.0), (0.1, 0.1), (0.25, 0.0), (0.49, 0.3), (0.0, 0.4999)] {
                let trimmed = trimmed_mean(&x, features, (lower, upper)).unwrap();
                let winsorized = winsorized_mean(&x, features, (lower, upper)).unwrap();
                for feature in 0..features.count() {
                    let mut values = column(&x, &features, feature);
                    values.retain(|x| !x.is_nan());
                    values.sort_by(f64::total_cmp);
                    let n = values.len();
                    let (first, last) = ((lower * n as f64) as usize, n - (upper * n as f64) as usize);
                    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
                    assert_close(trimmed[feature], mean(&values[first..last]));
                    if n > 0 {
                        let (low, high) = (values[first], values[last - 1]);
                        values[..first].fill(low);
                        values[last..].fill(high);
                    }
                    assert_close(winsorized[feature], mean(&values));
                }
            }
        }
    }

    #[test]
    fn medians_of_means_are_those_of_rows_by_number() {
        for (features, x) in layouts() {
            for blocks in [1, 2, 3, 10, 501, 33_000] {
                if blocks > features.rows() {
                    continue;
                }
                let found = median_of_means(&x, features, blocks).unwrap();
                for (feature, found) in found.into_iter().enumerate() {
                    let values = column(&x, &features, feature);
                    let mut means: Vec<f64> = (0..blocks)
                        .map(|block| {
                            let rows = || values.iter().skip(block).step_by(blocks).filter(|x| !x.is_nan());
                            rows().sum::<f64>() / rows().count() as f64
                        })
                        .filter(|mean| !mean.is_nan())
                        .collect();
                    means.sort_by(f64::total_cmp);
                    let expected = match means.len() {
                        0 => f64::NAN,
                        n if n % 2 == 1 => means[n / 2],
                        n => (means[n / 2 - 1] + means[n / 2]) / 2.0,
                    };
                    assert_close(found, expected);
                }
            }
        }
    }

    #[test]
    fn bad_rows_do_not_carry_them_away() {
        let mut x: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
        for bad in [f64::INFINITY, -1e300, f64::NAN] {
            for row in [7, 500, 731] {
                x[row] = bad;
            }
            let features = Features::whole(1000);
            let near = |found: Vec<f64>| assert!((found[0] - 4.5).abs() < 0.1, "{bad} {found:?}");
            near(median_of_means(&x, features, 11).unwrap());
            near(trimmed_mean(&x, features, (0.01, 0.01)).unwrap());
            near(winsorized_mean(&x, features, (0.01, 0.01)).unwrap());
        }
    }

    #[test]
    fn bad_calls_are_refused() {
        let x = [1.0f32; 6];
        let features = Features::columns(3, 2);
        for blocks in [0, 4] {
            assert_eq!(median_of_means(&x, features, blocks).unwrap_err().argument(), "blocks");
        }
        for shares in [(0.5, 0.0), (0.0, 0.5), (-0.1, 0.0), (f64::NAN, 0.0)] {
            assert_eq!(trimmed_mean(&x, features, shares).unwrap_err().argument(), "shares");
            assert_eq!(winsorized_mean(&x, features, shares).unwrap_err().argument(), "shares");
        }
        for features in [Features::columns(4, 2), Features::columns(0, 2)] {
            assert!(median_of_means(&x, features, 1).is_err());
            assert!(trimmed_mean(&x, features, (0.1, 0.1)).is_err());
        }
        let none = trimmed_mean(&[f32::NAN; 2], Features::whole(2), (0.1, 0.1)).unwrap();
        assert!(none[0].is_nan());
    }
}
