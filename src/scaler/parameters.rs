//! What was learned.

use super::extremes::Extremes;
use super::fit::Fitter;
use super::method::Method;
use super::moments::Moment;
use super::power::Power;
use crate::error::{Result, bail};

/// A range, a magnitude, a norm below this counts as 1: ten times the epsilon of f64, as scikit-learn has it.
pub(super) const SMALL: f64 = 10.0 * f64::EPSILON;

/// What was learned of the data, by feature.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fitted {
    /// Smallest and largest values.
    Extremes(Vec<Extremes>),
    /// Counts, means and variances.
    Moments(Vec<Moment>),
    /// Medians and quantiles.
    Quantiles(Vec<Quantiles>),
    /// The values at all quantiles, in order: as many of each feature.
    References(Vec<Vec<f64>>),
    /// Powers, and what they make of the data.
    Powers(Vec<Power>),
    /// Nothing.
    Given,
}

/// Order statistics of a feature; NaN of no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// Number of values that are not NaN.
    pub count: u64,
    /// The lower quantile.
    pub lower: f64,
    /// The median.
    pub median: f64,
    /// The upper quantile.
    pub upper: f64,
}

impl Quantiles {
    pub(super) const NONE: Self = Self {
        count: 0,
        lower: f64::NAN,
        median: f64::NAN,
        upper: f64::NAN,
    };
}

/// Fitted parameters, in f64: transforms data, and back.
///
/// ```text
/// y = (x - center) / scale + offset        (and clipped, where the method says so)
/// ```
///
/// with the three numbers of each feature. [`UnitNorm`](crate::scaler::UnitNorm) and
/// [`QuantileTransform`](crate::scaler::QuantileTransform) have none; after a
/// [`Logarithm`](crate::scaler::Logarithm) or of a [`PowerTransform`](crate::scaler::PowerTransform) they are those of
/// what has become of x. Elements are computed in f64 and rounded once. x and y may be laid out differently.
///
/// With the feature `serde` (on by default) parameters can be saved in any format of it. What is read is checked:
/// version, settings, widths. Text formats have NaN and infinities as strings. Of `serde_json` ask for its feature
/// `float_roundtrip`, or the last bit of a number may change.
///
/// ```
/// use wgnorm::scaler::{Features, Standard};
/// // Learned in training, applied later to other data, and undone.
/// let scaler = Standard::new().fit(&[20.0f32, 30.0, 40.0], Features::whole(3))?;
/// let mut y = [0.0f32];
/// scaler.transform(&[50.0f32], Features::whole(1), &mut y)?;
/// assert!((y[0] - 2.449_49).abs() < 1e-5);
/// scaler.inverse_transform_in_place(&mut y, Features::whole(1))?;
/// assert_eq!(y, [50.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "super::stored::Stored", try_from = "super::stored::Stored")
)]
pub struct Scaler {
    pub(super) method: Method,
    pub(super) features: usize,
    pub(super) fitted: Fitted,
    pub(super) center: Vec<f64>,
    pub(super) scale: Vec<f64>,
    pub(super) offset: Vec<f64>,
}

impl Scaler {
    /// The version of the parameters that are saved.
    pub const VERSION: u32 = 1;

    /// Parameters that were learned elsewhere.
    ///
    /// ```
    /// use wgnorm::scaler::{Extremes, Fitted, MaxAbs, Scaler};
    /// let learned = Fitted::Extremes(vec![Extremes { min: -4.0, max: 2.0 }]);
    /// assert_eq!(Scaler::new(MaxAbs::new().into(), 1, learned)?.scale(), [4.0]);
    /// # Ok::<(), wgnorm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if they are not those of so many features of the method, and
    /// [`Parameter`](crate::ErrorKind::Parameter) for its settings.
    pub fn new(method: Method, features: usize, fitted: Fitted) -> Result<Self> {
        method.check(features)?;
        let each = |line: &dyn Fn(usize) -> (f64, f64, f64)| {
            let (mut center, mut scale, mut offset) = (Vec::new(), Vec::new(), Vec::new());
            for line in (0..features).map(line) {
                center.push(line.0);
                scale.push(line.1);
                offset.push(line.2);
            }
            (center, scale, offset)
        };
        let (center, scale, offset) = match (method.core(), &fitted) {
            (Method::MinMax(to), Fitted::Extremes(extremes)) if extremes.len() == features => each(&|i| {
                let (min, max) = extremes[i].values();
                (min, not_small(max - min) / (to.high - to.low), to.low)
            }),
            (Method::MaxAbs(_), Fitted::Extremes(extremes)) if extremes.len() == features => {
                each(&|i| (0.0, not_small(extremes[i].magnitude()), 0.0))
            }
            (Method::Standard(with), Fitted::Moments(moments)) if moments.len() == features => each(&|i| {
                let center = if with.mean { moments[i].mean() } else { 0.0 };
                let scale = if with.deviation { deviation(&moments[i]) } else { 1.0 };
                (center, scale, 0.0)
            }),
            (Method::Robust(with), Fitted::Quantiles(quantiles)) if quantiles.len() == features => each(&|i| {
                let center = if with.centering { quantiles[i].median } else { 0.0 };
                let distance = not_small(quantiles[i].upper - quantiles[i].lower) / with.unit();
                (center, if with.scaling { distance } else { 1.0 }, 0.0)
            }),
            (Method::FixedRange(fixed), Fitted::Given) => each(&|i| {
                let i = if fixed.a.len() == 1 { 0 } else { i };
                (fixed.a[i], fixed.b[i], 0.0)
            }),
            (Method::UnitNorm(_), Fitted::Given) => Default::default(),
            (Method::Quantile(to), Fitted::References(tables)) if tables.len() == features => {
                to.check_tables(tables)?;
                Default::default()
            }
            (Method::Power(to), Fitted::Powers(powers)) if powers.len() == features => each(&|i| {
                let moment = &powers[i].moment;
                match to.standardize {
                    true => (moment.mean(), deviation(moment), 0.0),
                    false => (0.0, 1.0, 0.0),
                }
            }),
            _ => bail!(
                Shape,
                "parameters",
                "are not those of {features} features of {}",
                method.name()
            ),
        };
        Ok(Self {
            method,
            features,
            fitted,
            center,
            scale,
            offset,
        })
    }

    /// What made it.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// What was learned.
    pub fn fitted(&self) -> &Fitted {
        &self.fitted
    }

    /// What is subtracted, by feature; empty for unit norms and quantile transforms.
    pub fn center(&self) -> &[f64] {
        &self.center
    }

    /// What is divided by then; empty for unit norms and quantile transforms.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// What is added last; empty for unit norms and quantile transforms.
    pub fn offset(&self) -> &[f64] {
        &self.offset
    }

    /// Goes on learning from here, in one pass.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) for order statistics.
    pub fn fitter(&self) -> Result<Fitter> {
        Fitter::resume(self.method.clone(), self.features, self.fitted.clone())
    }
}

/// A divisor; NaN stays.
fn not_small(scale: f64) -> f64 {
    if scale < SMALL { 1.0 } else { scale }
}

/// The standard deviation, or 1 if it may be nothing but the error of computing it.
fn deviation(moment: &Moment) -> f64 {
    if is_constant(moment) {
        1.0
    } else {
        moment.variance().sqrt()
    }
}

/// Whether a variance may be nothing but the error of computing it.
pub(super) fn is_constant(moment: &Moment) -> bool {
    let Moment { count, mean, .. } = *moment;
    let variance = moment.variance();
    variance <= count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2)
}
