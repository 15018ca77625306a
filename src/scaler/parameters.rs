//! What was learned, and its application.

use super::element::{Element, Real};
use super::extremes::Extremes;
use super::features::Features;
use super::fit::Fitter;
use super::map::{self, InPlace, Lines, Other, Source};
use super::method::Method;
use super::moments::Moment;
use super::unit;
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
/// with the three numbers of each feature; [`UnitNorm`](crate::scaler::UnitNorm) has none and divides rows by their
/// norms. Elements are computed in f64 and rounded once. x and y may be laid out differently.
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
    center: Vec<f64>,
    scale: Vec<f64>,
    offset: Vec<f64>,
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
        let (center, scale, offset) = match (&method, &fitted) {
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

    /// What is subtracted, by feature; empty for unit norms.
    pub fn center(&self) -> &[f64] {
        &self.center
    }

    /// What is divided by then; empty for unit norms.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// What is added last; empty for unit norms.
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

    /// What y is held between.
    pub(super) fn bounds(&self) -> Option<(f64, f64)> {
        match &self.method {
            Method::MinMax(to) if to.clip => Some((to.low, to.high)),
            Method::MaxAbs(to) if to.clip => Some((-1.0, 1.0)),
            _ => None,
        }
    }

    /// Transforms `x` into `y`, which lies as x does.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of features than was fitted, and for features
    /// of y that share elements, [`Size`](crate::ErrorKind::Size) for slices that are too short.
    pub fn transform<T: Element, U: Real>(&self, x: &[T], features: Features, y: &mut [U]) -> Result<()> {
        self.transform_to(x, features, y, features)
    }

    /// Transforms `x` into `y`, whose features lie elsewhere: images N×H×W×C to N×C×H×W.
    ///
    /// ```
    /// use wgnorm::scaler::{Features, FixedRange};
    /// // Two RGB pixels of u8 to three planes of f32.
    /// let x = [0u8, 51, 102, 255, 204, 153];
    /// let mut y = [0.0f32; 6];
    /// let planes = Features::channels(1, 3, 2);
    /// FixedRange::uniform(0.0, 255.0)?.scaler(3)?.transform_to(&x, Features::columns(2, 3), &mut y, planes)?;
    /// assert_eq!(y, [0.0, 1.0, 0.2, 0.8, 0.4, 0.6]);
    /// # Ok::<(), wgnorm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transform`](Self::transform), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of rows.
    pub fn transform_to<T: Element, U: Real>(
        &self,
        x: &[T],
        features: Features,
        y: &mut [U],
        to: Features,
    ) -> Result<()> {
        self.check(x.len(), &features, y.len(), &to)?;
        let source = Other { x, features: &features };
        self.apply(&source, &features, y, &to);
        Ok(())
    }

    /// Transforms in place.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn transform_in_place<T: Real>(&self, x: &mut [T], features: Features) -> Result<()> {
        self.check(x.len(), &features, x.len(), &features)?;
        self.apply(&InPlace, &features, x, &features);
        Ok(())
    }

    /// Transforms `y` back: `x = (y - offset) * scale + center`. What was clipped stays so.
    ///
    /// # Errors
    /// As [`transform`](Self::transform), and [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for unit norms,
    /// which have no inverse.
    pub fn inverse_transform<T: Element, U: Real>(&self, y: &[T], features: Features, x: &mut [U]) -> Result<()> {
        self.check(y.len(), &features, x.len(), &features)?;
        let lines = self.inverse()?;
        map::map(
            &lines,
            &Other {
                x: y,
                features: &features,
            },
            &features,
            x,
            &features,
        );
        Ok(())
    }

    /// Transforms back in place.
    ///
    /// # Errors
    /// As [`inverse_transform`](Self::inverse_transform).
    pub fn inverse_transform_in_place<T: Real>(&self, y: &mut [T], features: Features) -> Result<()> {
        self.check(y.len(), &features, y.len(), &features)?;
        map::map(&self.inverse()?, &InPlace, &features, y, &features);
        Ok(())
    }

    fn check(&self, x: usize, from: &Features, y: usize, to: &Features) -> Result<()> {
        from.expect("x", self.features)?;
        to.expect("y", self.features)?;
        if from.rows() != to.rows() {
            bail!(Shape, "y", "has {} rows, x has {}", to.rows(), from.rows());
        }
        from.check("x", x)?;
        to.check("y", y)?;
        to.check_distinct("y")
    }

    fn apply<T: Element, U: Real>(&self, source: &impl Source<T, U>, from: &Features, y: &mut [U], to: &Features) {
        match &self.method {
            Method::UnitNorm(method) => unit::divide(method.norm, source, from, y, to),
            _ => map::map(&self.forward(), source, from, y, to),
        }
    }

    /// The transform.
    pub(super) fn forward(&self) -> Lines {
        Lines {
            center: self.center.clone(),
            factor: self.scale.iter().map(|scale| scale.recip()).collect(),
            offset: self.offset.clone(),
            bounds: self.bounds(),
        }
    }

    /// The transform back.
    pub(super) fn inverse(&self) -> Result<Lines> {
        if let Method::UnitNorm(_) = self.method {
            bail!(Parameter, "method", "unit_norm has no inverse: the norms are not kept");
        }
        Ok(Lines {
            center: self.offset.clone(),
            factor: self.scale.clone(),
            offset: self.center.clone(),
            bounds: None,
        })
    }
}

/// A divisor; NaN stays.
fn not_small(scale: f64) -> f64 {
    if scale < SMALL { 1.0 } else { scale }
}

/// The standard deviation, or 1 if it may be nothing but the error of computing it.
fn deviation(moment: &Moment) -> f64 {
    let Moment { count, mean, .. } = *moment;
    let variance = moment.variance();
    let error = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
    if variance <= error { 1.0 } else { variance.sqrt() }
}
