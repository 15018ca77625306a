//! Ranks: which ones are wanted of so many values, and how values between ranks are made.

use std::ops::Range;

use super::quantile::Interpolation;

/// A quantile of any number of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank {
    /// From 0 to 1.
    pub q: f64,
    pub interpolation: Interpolation,
}

impl Rank {
    /// The rank below, and how far towards the next one, of `count` values.
    ///
    /// The product is numpy's, in f64, so that the same values are taken: 0.1 of 11 values is the second, though 0.1 is
    /// a little more than that in f64. It is exact to the rank for as many values as f64 counts.
    fn place(&self, count: u64) -> (u64, f64) {
        let last = count - 1;
        let place = last as f64 * self.q;
        let place = match self.interpolation {
            Interpolation::Linear => place,
            Interpolation::Lower => place.floor(),
            Interpolation::Higher => place.ceil(),
            Interpolation::Nearest => place.round_ties_even(),
            Interpolation::Midpoint => 0.5 * (place.floor() + place.ceil()),
        };
        let rank = (place.floor() as u64).min(last);
        (rank, place - place.floor())
    }

    /// The ranks that are needed, of `count` values.
    pub fn ranks(&self, count: u64) -> impl Iterator<Item = u64> {
        let ranks = (count > 0).then(|| {
            let (rank, share) = self.place(count);
            rank..=if share > 0.0 { rank + 1 } else { rank }
        });
        ranks.into_iter().flatten()
    }

    /// The quantile of `count` values, given those of the ranks; NaN of none.
    pub fn of(&self, count: u64, value: impl Fn(u64) -> f64) -> f64 {
        if count == 0 {
            return f64::NAN;
        }
        let (rank, share) = self.place(count);
        let low = value(rank);
        if share == 0.0 {
            return low;
        }
        let high = value(rank + 1);
        // As numpy does; equal values (infinite ones too) have nothing between them.
        let distance = high - low;
        if low == high {
            low
        } else if share >= 0.5 {
            high - distance * (1.0 - share)
        } else {
            low + distance * share
        }
    }
}

/// The shares of the values that are cut off at both ends, each from 0 to below 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    pub lower: f64,
    pub upper: f64,
}

impl Cut {
    /// The ranks that are kept of `count` values: as scipy counts, the product with a share rounded down is cut off.
    pub fn kept(&self, count: u64) -> Range<u64> {
        // (A product that is rounded up to half of the values must not leave none.)
        let most = count.saturating_sub(1) / 2;
        let off = |share: f64| ((share * count as f64) as u64).min(most);
        off(self.lower)..count - off(self.upper)
    }
}

/// What is wanted of the values of every feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ranks {
    /// Quantiles.
    Quantiles(Vec<Rank>),
    /// So many quantiles at equal distances from the smallest to the largest value, but no more than rows.
    Spaced(usize),
    /// The first and the last value that are kept.
    Kept(Cut),
}

impl Ranks {
    /// The most ranks that a feature may have.
    pub fn most(&self) -> usize {
        match self {
            Self::Quantiles(quantiles) => quantiles.len().saturating_mul(2),
            Self::Spaced(count) => count.saturating_mul(2),
            Self::Kept(_) => 2,
        }
    }

    /// Wants the smallest value too.
    pub fn want_smallest(&mut self) {
        if let Self::Quantiles(quantiles) = self {
            quantiles.push(Rank {
                q: 0.0,
                interpolation: Interpolation::Lower,
            });
        }
    }

    /// The ranks that are needed of `count` values of so many rows, in order.
    pub fn of(&self, count: u64, rows: u64) -> Vec<u64> {
        let of_quantiles = |quantiles: &[Rank]| quantiles.iter().flat_map(|quantile| quantile.ranks(count)).collect();
        let mut ranks: Vec<u64> = match self {
            Self::Quantiles(quantiles) => of_quantiles(quantiles),
            Self::Spaced(wanted) => of_quantiles(&spaced(*wanted, rows)),
            Self::Kept(cut) => match cut.kept(count) {
                kept if kept.is_empty() => Vec::new(),
                kept => vec![kept.start, kept.end - 1],
            },
        };
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }
}

/// The shares from 0 to 1 at so many equal steps, as numpy's linspace has them.
pub(super) fn share(i: usize, steps: usize) -> f64 {
    match steps {
        0 => 0.0,
        _ if i == steps => 1.0,
        _ => i as f64 * (1.0 / steps as f64),
    }
}

/// So many quantiles at equal distances, but no more than rows. (They pass through percents, as they do in scikit-learn,
/// so that the same values are taken.)
pub(super) fn spaced(wanted: usize, rows: u64) -> Vec<Rank> {
    let count = wanted.min(usize::try_from(rows).unwrap_or(usize::MAX)).max(1);
    let rank = |i| Rank {
        q: share(i, count - 1) * 100.0 / 100.0,
        interpolation: Interpolation::Linear,
    };
    (0..count).map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_exact_beyond_the_integers_of_f32() {
        let rank = Rank {
            q: 0.5,
            interpolation: Interpolation::Linear,
        };
        assert_eq!(rank.ranks((1 << 25) + 3).collect::<Vec<_>>(), [(1 << 24) + 1]);
        assert_eq!(rank.ranks((1 << 40) + 2).collect::<Vec<_>>(), [1 << 39, (1 << 39) + 1]);
        let last = Rank { q: 1.0, ..rank };
        assert_eq!(last.ranks(u64::MAX).collect::<Vec<_>>(), [u64::MAX - 1]);
        assert_eq!(last.ranks(0).count(), 0);
    }

    #[test]
    fn cuts_are_those_of_scipy() {
        let cut = |lower, upper, count| Cut { lower, upper }.kept(count);
        assert_eq!(cut(0.1, 0.1, 9), 0..9);
        assert_eq!(cut(0.1, 0.1, 10), 1..9);
        assert_eq!(cut(0.25, 0.0, 7), 1..7);
        assert_eq!(cut(0.0, 0.0, 0), 0..0);
        let most = 0.5f64.next_down();
        for count in 1..200 {
            assert!(!cut(most, most, count).is_empty());
        }
    }

    #[test]
    fn shares_reach_from_0_to_1() {
        let shares = |wanted, rows| spaced(wanted, rows).iter().map(|rank| rank.q).collect::<Vec<_>>();
        assert_eq!(shares(5, 100), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(shares(5, 3), [0.0, 0.5, 1.0]);
        assert_eq!(shares(5, 1), [0.0]);
        assert!(shares(1000, 5000).is_sorted() && shares(1000, 5000).len() == 1000);
        assert_eq!(Ranks::Spaced(1000).of(4, 9), [0, 1, 2, 3]);
        assert!(Ranks::Spaced(1000).of(0, 9).is_empty());
    }
}
