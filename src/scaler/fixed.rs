use super::method::{Method, methods};
use super::parameters::Scaler;
use crate::error::{Result, bail};

/// Scaling by given numbers: `y = (x - a) / b`, with an a and a b per feature.
///
/// What is known needs no fit: the limits of a sensor, pixels / 255, the mean and deviation of another data set.
///
/// ```
/// use wgnorm::scaler::{Features, FixedRange};
/// // Ages from 20 to 70, and a temperature from -40 to 60, to 0 to 1.
/// let scaler = FixedRange::intervals(&[(20.0, 70.0), (-40.0, 60.0)])?.scaler(2)?;
/// let mut y = [0.0f32; 2];
/// scaler.transform(&[45.0f32, 10.0], Features::columns(1, 2), &mut y)?;
/// assert_eq!(y, [0.5, 0.5]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FixedRange {
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
}

methods!(FixedRange);

impl FixedRange {
    /// `y = (x - a) / b`, with an a and a b per feature.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for a b of 0, for what is not finite, and for different
    /// lengths.
    pub fn new(a: &[f64], b: &[f64]) -> Result<Self> {
        let fixed = Self {
            a: a.to_vec(),
            b: b.to_vec(),
        };
        fixed.check()?;
        Ok(fixed)
    }

    /// The same a and b for any number of features: pixels / 255 are `uniform(0.0, 255.0)`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn uniform(a: f64, b: f64) -> Result<Self> {
        Self::new(&[a], &[b])
    }

    /// What takes an interval per feature, its ends in any order, to 0 to 1.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for ends that are equal or not finite.
    pub fn intervals(intervals: &[(f64, f64)]) -> Result<Self> {
        if let Some(feature) = intervals.iter().position(|(from, to)| from == to) {
            let end = intervals[feature].0;
            bail!(
                Parameter,
                "intervals",
                "that of feature {feature} is {end} to {end}, which is a point"
            );
        }
        let a: Vec<f64> = intervals.iter().map(|interval| interval.0).collect();
        let b: Vec<f64> = intervals.iter().map(|interval| interval.1 - interval.0).collect();
        Self::new(&a, &b)
    }

    /// The scaler of so many features.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if there are other numbers for another count.
    pub fn scaler(&self, features: usize) -> Result<Scaler> {
        self.fitter(features)?.finish()
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { a, b } = self;
        if a.len() != b.len() {
            bail!(Parameter, "b", "has {} values, a has {}", b.len(), a.len());
        }
        if let Some(feature) = a.iter().position(|a| !a.is_finite()) {
            bail!(
                Parameter,
                "a",
                "is {} for feature {feature}, a finite number is needed",
                a[feature]
            );
        }
        let divides = |b: &f64| b.is_finite() && b.recip().is_finite();
        if let Some(feature) = b.iter().position(|b| !divides(b)) {
            bail!(
                Parameter,
                "b",
                "is {} for feature {feature}, by which nothing can be divided",
                b[feature]
            );
        }
        Ok(())
    }
}

impl From<FixedRange> for Method {
    fn from(method: FixedRange) -> Self {
        Self::FixedRange(method)
    }
}
