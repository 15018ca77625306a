//! Counts of values between edges.

use super::element::Element;
use super::extremes::extremes;
use super::features::Features;
use super::parallel;
use crate::error::{Result, bail};

/// Between which edges values are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edges<'a> {
    /// So many bins of equal width, from the smallest to the largest finite value of each feature.
    Count(usize),
    /// Given edges, in increasing order, for all features.
    Given(&'a [f64]),
}

/// The counts of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The edges, one more than bins. All NaN if there is no value to find them by.
    pub edges: Vec<f64>,
    /// Values of each bin: from its lower edge to below its upper one; the last bin has its upper edge too.
    pub counts: Vec<u64>,
    /// Values below the first edge, -∞ among them.
    pub below: u64,
    /// Values above the last edge, ∞ among them.
    pub above: u64,
    /// Values that are NaN.
    pub missing: u64,
}

/// Histograms of all features: numpy's, but that NaN and what lies outside is counted apart.
///
/// ```
/// use wgnorm::scaler::{Edges, Features, histogram};
/// let x = [1.0f32, 2.0, f32::NAN, 4.0, 5.0];
/// let found = histogram(&x, Features::whole(5), Edges::Count(2))?;
/// assert_eq!((&found[0].edges[..], &found[0].counts[..]), (&[1.0, 3.0, 5.0][..], &[2, 2][..]));
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for no bins, or edges that do not increase or are not finite,
/// [`Size`](crate::ErrorKind::Size) if `x` is too short.
pub fn histogram<T: Element>(x: &[T], features: Features, edges: Edges<'_>) -> Result<Vec<Histogram>> {
    features.check("x", x.len())?;
    edges.check()?;
    let start: Vec<Histogram> = match edges {
        Edges::Count(bins) => ranges(x, &features)
            .into_iter()
            .map(|range| Histogram::equal(range, bins))
            .collect(),
        Edges::Given(edges) => vec![Histogram::empty(edges.to_vec()); features.count()],
    };
    let blocks = features.blocks();
    let threads = parallel::threads(features.elements()).min(blocks.len()).max(1);
    let shares: Vec<_> = blocks.chunks(blocks.len().div_ceil(threads).max(1)).collect();
    let parts = parallel::map(&shares, |share| {
        let (mut histograms, mut buffer) = (start.clone(), Vec::new());
        for block in *share {
            let values = block.values(&features, x, &mut buffer);
            for row in 0..values.rows {
                for (x, histogram) in values.row(row).iter().zip(&mut histograms[block.features.clone()]) {
                    histogram.add(x.wide());
                }
            }
        }
        histograms
    });
    let mut whole = start;
    for part in parts {
        for (whole, part) in whole.iter_mut().zip(part) {
            whole.below += part.below;
            whole.above += part.above;
            whole.missing += part.missing;
            for (sum, count) in whole.counts.iter_mut().zip(part.counts) {
                *sum += count;
            }
        }
    }
    Ok(whole)
}

impl Edges<'_> {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Count(0) => bail!(Parameter, "edges", "are those of 0 bins"),
            Self::Count(_) => {}
            Self::Given(edges) => {
                let increasing = edges.windows(2).all(|pair| pair[0] < pair[1]);
                if edges.len() < 2 || !increasing || !edges.iter().all(|edge| edge.is_finite()) {
                    bail!(
                        Parameter,
                        "edges",
                        "are {edges:?}, at least two finite ones in increasing order are needed"
                    );
                }
            }
        }
        Ok(())
    }

    /// How many bins they make.
    pub(super) fn bins(&self) -> usize {
        match self {
            Self::Count(bins) => *bins,
            Self::Given(edges) => edges.len().saturating_sub(1),
        }
    }
}

impl Histogram {
    /// Of no values.
    pub(super) fn empty(edges: Vec<f64>) -> Self {
        Self {
            counts: vec![0; edges.len() - 1],
            edges,
            below: 0,
            above: 0,
            missing: 0,
        }
    }

    /// Bins of equal width; a single value lies in the middle of 1, as in numpy.
    pub(super) fn equal((min, max): (f64, f64), bins: usize) -> Self {
        let (min, max) = if min == max { (min - 0.5, max + 0.5) } else { (min, max) };
        let step = (max - min) / bins as f64;
        let inner = (0..bins).map(|i| i as f64 * step + min);
        Self::empty(inner.chain([max]).collect())
    }

    fn add(&mut self, value: f64) {
        let (first, last) = (self.edges[0], self.edges[self.counts.len()]);
        if value.is_nan() {
            self.missing += 1;
        } else if value < first {
            self.below += 1;
        } else if value > last {
            self.above += 1;
        } else if value >= first {
            let after = self.edges.partition_point(|&edge| edge <= value);
            let bin = (after - 1).min(self.counts.len() - 1);
            self.counts[bin] += 1;
        } else {
            // Edges of no value: an infinity.
            *(if value > 0.0 { &mut self.above } else { &mut self.below }) += 1;
        }
    }
}

/// The smallest and the largest finite value of every feature.
fn ranges<T: Element>(x: &[T], features: &Features) -> Vec<(f64, f64)> {
    let mut found = extremes(x, features);
    for (feature, found) in found.iter_mut().enumerate().filter(|(_, found)| found.is_infinite()) {
        let values = (0..features.rows()).map(|row| x[features.offset(row, feature)].wide());
        let finite = || values.clone().filter(|value| value.is_finite());
        found.min = finite().fold(f64::INFINITY, f64::min);
        found.max = finite().fold(f64::NEG_INFINITY, f64::max);
    }
    found.iter().map(|found| found.values()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let features = Features::columns(5000, 3);
        let x: Vec<f32> = (0..15_000)
            .map(|i| match i % 101 {
                7 => f32::NAN,
                8 => f32::INFINITY,
                9 => f32::NEG_INFINITY,
                other => other as f32,
            })
            .collect();
        for edges in [Edges::Count(10), Edges::Given(&[10.0, 20.0, 21.0, 90.0])] {
            for (feature, histogram) in histogram(&x, features, edges).unwrap().iter().enumerate() {
                let values = (0..5000).map(|row| f64::from(x[row * 3 + feature]));
                let last = histogram.counts.len() - 1;
                for (bin, &count) in histogram.counts.iter().enumerate() {
                    let (low, high) = (histogram.edges[bin], histogram.edges[bin + 1]);
                    let within = |value: &f64| *value >= low && (*value < high || bin == last && *value == high);
                    assert_eq!(values.clone().filter(within).count() as u64, count);
                }
                let outside = histogram.below + histogram.above + histogram.missing;
                assert_eq!(histogram.counts.iter().sum::<u64>() + outside, 5000);
                assert_eq!(histogram.missing, values.filter(|value| value.is_nan()).count() as u64);
            }
        }
    }

    #[test]
    fn few_values_have_histograms() {
        let one = histogram(&[7.0f32], Features::whole(1), Edges::Count(2)).unwrap();
        assert_eq!(
            (&one[0].edges[..], &one[0].counts[..]),
            (&[6.5, 7.0, 7.5][..], &[0, 1][..])
        );
        let none = histogram(&[f32::NAN, f32::INFINITY], Features::whole(2), Edges::Count(2)).unwrap();
        assert!(none[0].edges.iter().all(|edge| edge.is_nan()));
        assert_eq!((none[0].missing, none[0].above), (1, 1));
        assert!(histogram(&[7.0f32], Features::whole(1), Edges::Count(0)).is_err());
        assert!(histogram(&[7.0f32], Features::whole(1), Edges::Given(&[1.0, 1.0])).is_err());
        assert!(histogram(&[7.0f32], Features::whole(1), Edges::Given(&[1.0])).is_err());
    }
}
