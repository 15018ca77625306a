use super::element::Element;
use super::method::{Infinities, Method, methods};
use super::normal::{normal_probability, normal_quantile};
use super::parameters::Fitted;
use super::ranks::{Ranks, share, spaced};
use super::select::Selected;
use crate::error::{Result, bail};

/// How near 0 and 1 a share may come that becomes a normal quantile, as scikit-learn has it.
const THRESHOLD: f64 = 1e-7;

/// What a quantile transform makes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Distribution {
    /// Uniform, from 0 to 1.
    #[default]
    Uniform,
    /// Standard normal, from -5.2 to 5.2.
    Normal,
}

/// Quantile transform: every feature gets a uniform or normal distribution, whatever it had.
///
/// ```text
/// y = F(x)                    uniform
/// y = Φ⁻¹(F(x))               normal, from Φ⁻¹(1e-7) to Φ⁻¹(1 - 1e-7)
/// ```
///
/// (scikit-learn's `QuantileTransformer` without its subsampling.) F goes through the quantiles of the fitted data at
/// `references` equal steps (1000 by default, at most as many as rows), and in lines between them. Where references are
/// equal, F is in the middle between the first and the last of them. What is beyond the fitted data becomes 0 or 1 (or
/// the normal quantile next to them). The inverse goes back through the same quantiles, so that what was beyond stays at
/// the ends.
///
/// The quantiles are exact; NaN is ignored by the fit and kept by the transform. They take several passes: see
/// [`fit_chunks`](Self::fit_chunks). A fit holds at most 2 KB a reference and feature (and half of that for each thread).
///
/// ```
/// use wgnorm::scaler::{Distribution, Features, QuantileTransform};
/// let x = [1.0f32, 10.0, 100.0, 1000.0, 1e4];
/// let features = Features::whole(5);
/// let scaler = QuantileTransform::new().fit(&x, features)?;
/// let mut y = [0.0f32; 5];
/// scaler.transform(&x, features, &mut y)?;
/// assert_eq!(y, [0.0, 0.25, 0.5, 0.75, 1.0]);
/// let normal = QuantileTransform::new().to(Distribution::Normal).fit(&x, features)?;
/// normal.transform(&x, features, &mut y)?;
/// assert!(y[2] == 0.0 && (y[4] - 5.2).abs() < 0.01);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuantileTransform {
    references: usize,
    distribution: Distribution,
    pub(super) infinities: Infinities,
}

methods!(QuantileTransform);

impl QuantileTransform {
    /// The most references that are taken.
    const MOST: usize = 1 << 20;

    /// To a uniform distribution, by 1000 quantiles.
    pub fn new() -> Self {
        Self {
            references: 1000,
            distribution: Distribution::default(),
            infinities: Infinities::default(),
        }
    }

    /// What the data become.
    pub fn to(mut self, distribution: Distribution) -> Self {
        self.distribution = distribution;
        self
    }

    /// How many quantiles are learned, if there are as many rows: from 1 to 2²⁰.
    pub fn references(mut self, references: usize) -> Self {
        self.references = references;
        self
    }

    /// What the fit makes of infinities.
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let (references, most) = (self.references, Self::MOST);
        if references == 0 || references > most {
            bail!(Parameter, "references", "are {references}, 1 to {most} are needed");
        }
        Ok(())
    }

    /// What is wanted of every feature.
    pub(super) fn ranks(&self) -> Ranks {
        Ranks::Spaced(self.references)
    }

    /// What is learned of the values of these ranks, of so many rows.
    pub(super) fn fitted(&self, selected: &[Selected], rows: u64) -> Fitted {
        let quantiles = spaced(self.references, rows);
        let table = |selected: &Selected| {
            let mut table: Vec<f64> = quantiles.iter().map(|quantile| selected.at(quantile)).collect();
            // Interpolation may go back by a rounding.
            for i in 1..table.len() {
                table[i] = if table[i] < table[i - 1] {
                    table[i - 1]
                } else {
                    table[i]
                };
            }
            table
        };
        Fitted::References(selected.iter().map(table).collect())
    }

    /// Refuses tables that a fit could not have made.
    pub(super) fn check_tables(&self, tables: &[Vec<f64>]) -> Result<()> {
        let len = tables.first().map_or(1, Vec::len);
        let in_order = |table: &Vec<f64>| table.is_sorted() || table.iter().all(|value| value.is_nan());
        if len == 0 || len > self.references || !tables.iter().all(|table| table.len() == len && in_order(table)) {
            bail!(
                Shape,
                "parameters",
                "are not up to {} quantiles in order, as many of each feature",
                self.references
            );
        }
        Ok(())
    }

    /// What the data become.
    pub(super) fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// What y lies between.
    pub(super) fn range(&self) -> (f64, f64) {
        let end = THRESHOLD - f64::EPSILON;
        match self.distribution {
            Distribution::Uniform => (0.0, 1.0),
            Distribution::Normal => (normal_quantile(end), normal_quantile(1.0 - end)),
        }
    }

    /// Whether a value is at the first reference, and whether at the last, or for a normal distribution next to it, as
    /// scikit-learn has it. The lower end wins.
    fn at_ends(&self, table: &[f64], x: f64) -> (bool, bool) {
        let (first, last) = (table[0], table[table.len() - 1]);
        match self.distribution {
            Distribution::Uniform => (x == first, x == last),
            Distribution::Normal => (x - THRESHOLD < first, x + THRESHOLD > last),
        }
    }

    /// What becomes of a value.
    pub(super) fn of(&self, table: &[f64], x: f64) -> f64 {
        if x.is_nan() || table[0].is_nan() {
            return f64::NAN;
        }
        let place = match self.at_ends(table, x) {
            (true, _) => 0.0,
            (_, true) => 1.0,
            _ => distribution_at(table, x),
        };
        match self.distribution {
            Distribution::Uniform => place,
            Distribution::Normal => {
                let (low, high) = self.range();
                normal_quantile(place).clamp(low, high)
            }
        }
    }

    /// The largest f32 that becomes the lower end, and the smallest above it that becomes the upper one.
    pub(super) fn ends(&self, table: &[f64]) -> (f32, f32) {
        let is_low = |x: f32| f64::from(x) < table[0] || self.at_ends(table, x.into()).0;
        let is_high = |x: f32| {
            let (last, is_last) = (table[table.len() - 1], self.at_ends(table, x.into()).1);
            // (Of one reference, what is above it is at the lower end too.)
            table.len() > 1 && f64::from(x) > last || is_last
        };
        (last_that(is_low), first_that(is_high))
    }

    /// The largest f32 that comes from the first reference, and the smallest that comes from the last.
    pub(super) fn ends_back(&self) -> (f32, f32) {
        let share = |y: f32| self.share(y.into());
        (
            last_that(|y| share(y).is_some_and(|(place, near)| place <= 0.0 || place - near < 0.0)),
            first_that(|y| share(y).is_some_and(|(place, near)| place >= 1.0 || place + near > 1.0)),
        )
    }

    /// The share that y is of, and how near the ends it has to be to count as they do; of no NaN.
    fn share(&self, y: f64) -> Option<(f64, f64)> {
        let (place, near) = match self.distribution {
            Distribution::Uniform => (y, 0.0),
            Distribution::Normal => (normal_probability(y), THRESHOLD),
        };
        (!place.is_nan()).then_some((place, near))
    }

    /// What has become of y.
    pub(super) fn inverse(&self, table: &[f64], y: f64) -> f64 {
        let last = table.len() - 1;
        let Some((place, near)) = self.share(y) else {
            return f64::NAN;
        };
        if place <= 0.0 || place - near < 0.0 {
            table[0]
        } else if place >= 1.0 || place + near > 1.0 {
            table[last]
        } else {
            // References lie at equal distances: which two it is between is known but for a rounding.
            let reference = |i| share(i, last);
            let mut i = ((place * last as f64) as usize).min(last.saturating_sub(1));
            while i > 0 && reference(i) > place {
                i -= 1;
            }
            while i + 1 < last && reference(i + 1) <= place {
                i += 1;
            }
            match last {
                0 => table[0],
                _ => between(place, (reference(i), reference(i + 1)), (table[i], table[i + 1])),
            }
        }
    }
}

/// The largest f32, from -∞ on, up to which something is true; a NaN, above all others, if it is true of all.
fn last_that(is_true: impl Fn(f32) -> bool) -> f32 {
    let first = first_that(|x| !is_true(x));
    if first.is_nan() { first } else { first.next_down() }
}

/// The smallest f32 from which on something is true; a NaN if it is true of none.
fn first_that(is_true: impl Fn(f32) -> bool) -> f32 {
    let of_key = |key: u32| f32::from_key(key) as f32;
    let (mut first, mut beyond) = (f32::NEG_INFINITY.key(), f32::INFINITY.key() + 1);
    while first < beyond {
        let middle = first + (beyond - first) / 2;
        if is_true(of_key(middle)) {
            beyond = middle;
        } else {
            first = middle + 1;
        }
    }
    if first > f32::INFINITY.key() {
        f32::NAN
    } else {
        of_key(first)
    }
}

/// F of a value: the mean of numpy's interpolation from both sides, which differ where references are equal.
fn distribution_at(table: &[f64], x: f64) -> f64 {
    let last = table.len() - 1;
    let after = table.partition_point(|&value| value <= x);
    if after == 0 {
        return 0.0;
    }
    if table[after - 1] == x {
        let first = table.partition_point(|&value| value < x);
        return 0.5 * (share(after - 1, last) + share(first, last));
    }
    if after > last {
        return share(last, last);
    }
    let (low, high) = (table[after - 1], table[after]);
    let (from, to) = (share(after - 1, last), share(after, last));
    let up = between(x, (low, high), (from, to));
    let down = between(-x, (-high, -low), (-to, -from));
    0.5 * (up - down)
}

/// numpy's interp between two points.
fn between(x: f64, (low, high): (f64, f64), (from, to): (f64, f64)) -> f64 {
    if x == low {
        return from;
    }
    let slope = (to - from) / (high - low);
    let value = slope * (x - low) + from;
    if !value.is_nan() {
        return value;
    }
    // An end is infinite.
    let value = slope * (x - high) + to;
    if value.is_nan() && from == to { from } else { value }
}

impl Default for QuantileTransform {
    fn default() -> Self {
        Self::new()
    }
}

impl From<QuantileTransform> for Method {
    fn from(method: QuantileTransform) -> Self {
        Self::Quantile(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy's interp, by looking at every interval.
    fn interp(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
        let last = xs.len() - 1;
        if x < xs[0] {
            return ys[0];
        }
        let j = (0..=last).rev().find(|&j| xs[j] <= x).unwrap();
        if j == last || xs[j] == x {
            return ys[j];
        }
        (ys[j + 1] - ys[j]) / (xs[j + 1] - xs[j]) * (x - xs[j]) + ys[j]
    }

    #[test]
    fn shares_are_those_of_interpolation_both_ways() {
        let mut random = fastrand::Rng::with_seed(3);
        for len in [1, 2, 3, 10, 50] {
            let mut table: Vec<f64> = (0..len).map(|_| (random.f64() * 20.0).round() / 4.0).collect();
            table.sort_by(f64::total_cmp);
            let references: Vec<f64> = (0..len).map(|i| share(i, len - 1)).collect();
            let negated = |values: &[f64]| values.iter().rev().map(|value| -value).collect::<Vec<_>>();
            for i in -10..70 {
                let x = f64::from(i) / 8.0;
                let mut expected =
                    0.5 * (interp(x, &table, &references) - interp(-x, &negated(&table), &negated(&references)));
                if x == table[len - 1] {
                    expected = 1.0;
                }
                if x == table[0] {
                    expected = 0.0;
                }
                let found = QuantileTransform::new().of(&table, x);
                assert_eq!(found, expected, "{x} {table:?}");
                let y = f64::from(i) / 60.0;
                let back = QuantileTransform::new().inverse(&table, y);
                let expected = interp(y, &references, &table);
                assert!((back - expected).abs() <= 1e-15 * expected.abs(), "{y} {table:?}");
            }
        }
    }

    #[test]
    fn infinite_references_do_no_harm() {
        let table = [f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY, f64::INFINITY];
        let to = QuantileTransform::new();
        assert_eq!(to.of(&table, 0.5), 0.375);
        assert_eq!(to.of(&table, f64::INFINITY), 1.0);
        assert_eq!(to.of(&table, f64::NEG_INFINITY), 0.0);
        assert_eq!(to.inverse(&table, 0.375), 0.5);
        assert!(!to.of(&table, 7.0).is_nan());
    }
}
