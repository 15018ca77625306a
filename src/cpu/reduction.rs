//! What a segment is reduced to: a pivot, and a sum of terms relative to it.
//!
//! A chunk is reduced in f32 where that is exact enough, which ordinary values pay one test for; any other in f64: its
//! pivot first and the terms in a second pass, while the chunk is in the cache. Chunks are merged in f64. Squares of
//! f32 neither overflow nor vanish in f64, and any other power is taken of shares of the largest element.

use fearless_simd::{Level, Simd, dispatch};

use super::lanes::{self, About, Sums};

/// Independent accumulators, so that additions overlap and vectorize.
pub(super) const LANES: usize = 8;

/// How elements become a pivot and a sum.
pub(super) trait Reduction: Copy + Sync {
    /// False if the pivot is 0 whatever the elements, which then are not gathered.
    const PIVOTS: bool = true;

    /// True if sums about a pivot in f32 can be exact enough.
    const QUICK: bool = false;

    /// Takes an element, or what others were gathered to, into what is gathered for the pivot; it starts with 0.
    fn gather(self, gathered: f64, value: f64) -> f64;

    /// The pivot of `count` elements.
    fn pivot(self, gathered: f64, _count: f64) -> f64 {
        gathered
    }

    /// What an element adds to the sum.
    fn term(self, value: f64, pivot: f64) -> f64;

    /// The pivot and the sum of the elements of both, neither of which is empty.
    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64);

    /// The pivot of those sums, by the elements `so_far`, or else that of the first ones.
    #[inline(always)]
    fn guess(self, _so_far: &Partial, _first: impl FnOnce() -> f32) -> f32 {
        0.0
    }

    /// What the sums of so many elements say, if they are exact enough; otherwise, whether another pivot could help.
    fn accept(self, _count: f64, _pivot: f32, _sums: Sums) -> Result<Partial, Option<f32>> {
        Err(None)
    }
}

/// Some elements of a segment, reduced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Partial {
    pub count: f64,
    pub pivot: f64,
    pub sum: f64,
}

impl Partial {
    pub const EMPTY: Self = Self {
        count: 0.0,
        pivot: 0.0,
        sum: 0.0,
    };

    /// One chunk in f64.
    fn of<R: Reduction>(level: Level, values: &[f32], reduction: R) -> Self {
        dispatch!(level, _ => Self::exact(values, reduction))
    }

    #[inline(always)]
    fn exact<R: Reduction>(values: &[f32], reduction: R) -> Self {
        let count = values.len() as f64;
        let pivot = if R::PIVOTS {
            let gathered = fold(
                values,
                #[inline(always)]
                |value| value,
                #[inline(always)]
                |gathered, value| reduction.gather(gathered, value),
            );
            reduction.pivot(gathered, count)
        } else {
            0.0
        };
        let sum = fold(
            values,
            #[inline(always)]
            |value| reduction.term(value, pivot),
            #[inline(always)]
            |sum, term| sum + term,
        );
        Self { count, pivot, sum }
    }

    /// Merges in a chunk that follows.
    #[inline(always)]
    pub fn absorb_chunk<S: Simd, R: Reduction>(&mut self, simd: S, values: &[f32], reduction: R) {
        let pivot = reduction.guess(self, || first_pivot(values));
        if R::QUICK {
            let sums = match R::PIVOTS {
                true => lanes::sums_in::<_, true>(simd, values, pivot),
                false => lanes::sums_in::<_, false>(simd, values, pivot),
            };
            if let Ok(partial) = reduction.accept(values.len() as f64, pivot, sums) {
                return self.absorb(partial, reduction);
            }
        }
        self.absorb_sums(simd.level(), About { values, pivot }, None, reduction);
    }

    /// Merges in a chunk that follows, by its sums if they are known.
    #[inline(never)]
    pub fn absorb_sums<R: Reduction>(&mut self, level: Level, chunk: About<'_>, sums: Option<Sums>, reduction: R) {
        let accept = |chunk: About<'_>, sums: Option<Sums>| match R::QUICK {
            true => reduction.accept(
                chunk.values.len() as f64,
                chunk.pivot,
                sums.unwrap_or_else(|| lanes::sums(level, chunk)),
            ),
            false => Err(None),
        };
        let partial = accept(chunk, sums).or_else(|better| match better {
            Some(pivot) => accept(About { pivot, ..chunk }, None),
            None => Err(None),
        });
        self.absorb(
            partial.unwrap_or_else(|_| Self::of(level, chunk.values, reduction)),
            reduction,
        );
    }

    /// Merges in further elements.
    #[inline(always)]
    pub fn absorb(&mut self, other: Self, reduction: impl Reduction) {
        if self.count == 0.0 {
            *self = other;
            return;
        }
        (self.pivot, self.sum) = reduction.merge(self, &other);
        self.count += other.count;
    }
}

/// The terms of all values, combined from 0 on.
#[inline(always)]
fn fold(values: &[f32], term: impl Fn(f64) -> f64, combine: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    let take = |so_far, &value: &f32| combine(so_far, term(f64::from(value)));
    let rest = rest.iter().fold(0.0, take);
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = take(*lane, value);
        }
    }
    combine(lanes.into_iter().fold(0.0, &combine), rest)
}

/// Sums of squares outside of these bounds have lost to the ends of f32.
const ORDINARY: std::ops::RangeInclusive<f32> = 1.0 / (1u128 << 100) as f32..=f32::MAX;

/// Pivots are made of this many values.
pub(super) const FIRST: usize = 2 * lanes::WIDTH;

/// The mean, and the sum of the squared deviations from it.
///
/// Merged by the rule of Chan, Golub and LeVeque (1979). A constant has exactly its value as mean and 0 as sum: its
/// sums are exact.
///
/// In f32, sums about a pivot, which is the mean so far or that of the first few values, make both.
#[derive(Clone, Copy)]
pub(super) struct Deviations;

/// The mean of the first values: of equal ones, exactly theirs.
#[inline(always)]
fn first_pivot(values: &[f32]) -> f32 {
    match values.first_chunk::<FIRST>() {
        Some(first) => {
            let (pairs, _) = first.as_chunks::<2>();
            lanes::tree(std::array::from_fn(|i| pairs[i][0] + pairs[i][1])) / FIRST as f32
        }
        None => values[0],
    }
}

impl Reduction for Deviations {
    const QUICK: bool = true;

    #[inline(always)]
    fn gather(self, gathered: f64, value: f64) -> f64 {
        gathered + value
    }

    #[inline(always)]
    fn pivot(self, gathered: f64, count: f64) -> f64 {
        gathered / count
    }

    #[inline(always)]
    fn term(self, value: f64, pivot: f64) -> f64 {
        let deviation = value - pivot;
        deviation * deviation
    }

    #[inline(always)]
    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64) {
        let share = other.count / (one.count + other.count);
        let distance = other.pivot - one.pivot;
        let between = distance * distance * one.count * share;
        (one.pivot + distance * share, one.sum + (other.sum + between))
    }

    #[inline(always)]
    fn guess(self, so_far: &Partial, first: impl FnOnce() -> f32) -> f32 {
        match so_far.count {
            0.0 => first(),
            _ => so_far.pivot as f32,
        }
    }

    /// If the pivot is more than some 1.7 deviations from the mean, the difference of the sums loses digits.
    #[inline(always)]
    fn accept(self, count: f64, pivot: f32, sums: Sums) -> Result<Partial, Option<f32>> {
        if !ORDINARY.contains(&sums.squares) {
            return Err(None);
        }
        let (deviations, squares) = (f64::from(sums.deviations), f64::from(sums.squares));
        let shift = deviations / count;
        let (pivot, sum) = (f64::from(pivot) + shift, squares - deviations * shift);
        match sum >= squares / 4.0 {
            true => Ok(Partial { count, pivot, sum }),
            false => Err(Some(pivot as f32)),
        }
    }
}

/// The sum of the squares.
#[derive(Clone, Copy)]
pub(super) struct Squares;

impl Reduction for Squares {
    const PIVOTS: bool = false;
    const QUICK: bool = true;

    fn gather(self, gathered: f64, _: f64) -> f64 {
        gathered
    }

    #[inline(always)]
    fn term(self, value: f64, _: f64) -> f64 {
        value * value
    }

    #[inline(always)]
    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64) {
        (0.0, one.sum + other.sum)
    }

    #[inline(always)]
    fn accept(self, count: f64, _: f32, sums: Sums) -> Result<Partial, Option<f32>> {
        if !ORDINARY.contains(&sums.squares) {
            return Err(None);
        }
        Ok(Partial {
            count,
            pivot: 0.0,
            sum: f64::from(sums.squares),
        })
    }
}

/// The sum of the magnitudes.
#[derive(Clone, Copy)]
pub(super) struct Magnitudes;

impl Reduction for Magnitudes {
    const PIVOTS: bool = false;

    fn gather(self, gathered: f64, _: f64) -> f64 {
        gathered
    }

    #[inline(always)]
    fn term(self, value: f64, _: f64) -> f64 {
        value.abs()
    }

    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64) {
        (0.0, one.sum + other.sum)
    }
}

/// The largest magnitude as pivot; the sum is 0.
#[derive(Clone, Copy)]
pub(super) struct Largest;

impl Reduction for Largest {
    /// A NaN is the largest of all, and stays.
    fn gather(self, gathered: f64, value: f64) -> f64 {
        let value = value.abs();
        if value > gathered || value.is_nan() {
            value
        } else {
            gathered
        }
    }

    fn term(self, _: f64, _: f64) -> f64 {
        0.0
    }

    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64) {
        (self.gather(one.pivot, other.pivot), 0.0)
    }
}

/// The largest magnitude, and the sum of the powers of all magnitudes divided by it.
#[derive(Clone, Copy)]
pub(super) struct Powers {
    pub p: f64,
}

impl Powers {
    /// `sum(|x|^p)^(1/p)` of the elements.
    pub fn norm(self, partial: &Partial) -> f64 {
        match partial.pivot {
            0.0 => 0.0,
            largest => largest * partial.sum.powf(1.0 / self.p),
        }
    }

    /// `(part / whole)^p`; 1 where both are the same, even 0 or infinite.
    fn share(self, part: f64, whole: f64) -> f64 {
        if part == whole {
            1.0
        } else {
            (part / whole).powf(self.p)
        }
    }
}

impl Reduction for Powers {
    fn gather(self, gathered: f64, value: f64) -> f64 {
        Largest.gather(gathered, value)
    }

    fn term(self, value: f64, pivot: f64) -> f64 {
        self.share(value.abs(), pivot)
    }

    fn merge(self, one: &Partial, other: &Partial) -> (f64, f64) {
        let largest = self.gather(one.pivot, other.pivot);
        let sum = |partial: &Partial| partial.sum * self.share(partial.pivot, largest);
        (largest, sum(one) + sum(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(values: &[f32], chunk: usize, reduction: impl Reduction) -> Partial {
        let mut merged = Partial::EMPTY;
        for values in values.chunks(chunk) {
            merged.absorb(Partial::exact(values, reduction), reduction);
        }
        merged
    }

    #[test]
    fn chunks_merge_to_the_whole() {
        let values: Vec<f32> = (0..1000).map(|i| 1e6 + (i * i % 17) as f32).collect();
        let whole = Partial::exact(&values, Deviations);
        let parts = merged(&values, 7, Deviations);
        assert_eq!(parts.count, 1000.0);
        assert!((parts.pivot - whole.pivot).abs() < 1e-9);
        // A mean of 1e6 has 1e-10 of rounding in f64, next to deviations of about 1.
        assert!((parts.sum / whole.sum - 1.0).abs() < 1e-9);
        assert_eq!(merged(&values, 7, Magnitudes), Partial::exact(&values, Magnitudes));
        assert_eq!(merged(&values, 7, Largest), Partial::exact(&values, Largest));
        let cube = Powers { p: 3.0 };
        let (whole, parts) = (Partial::exact(&values, cube), merged(&values, 7, cube));
        assert!((cube.norm(&parts) / cube.norm(&whole) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_constant_has_no_deviation() {
        let constant = merged(&[1234.1; 1007], 1000, Deviations);
        assert_eq!((constant.pivot, constant.sum), (f64::from(1234.1f32), 0.0));
    }

    #[test]
    fn powers_of_special_values_merge() {
        const INF: f32 = f32::INFINITY;
        let tiny = f32::from_bits(1);
        for p in [1e-3, 0.5, 3.0, 1e6] {
            let powers = Powers { p };
            let norm = |values: &[f32]| {
                let (whole, parts) = (Partial::exact(values, powers), merged(values, 1, powers));
                let (whole, parts) = (powers.norm(&whole), powers.norm(&parts));
                assert!(whole == parts || whole.is_nan() && parts.is_nan() || (whole / parts - 1.0).abs() < 1e-12);
                parts
            };
            assert_eq!(norm(&[0.0, -0.0, 0.0]), 0.0);
            assert_eq!(norm(&[0.0, -3.0, 0.0]), 3.0);
            assert_eq!(norm(&[1.0, INF, 0.0, -INF]), f64::INFINITY);
            assert!(norm(&[INF, f32::NAN, 1.0]).is_nan());
            assert!(norm(&[f32::MAX, tiny, f32::MAX]) >= f64::from(f32::MAX));
            assert_eq!(norm(&[tiny]), f64::from(tiny));
        }
    }
}
