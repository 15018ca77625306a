//! f64 on the host as f32 of a device, of which nothing is lost.

use super::features::Features;
use super::parameters::{Fitted, Scaler};
use super::quantile::median;
use crate::error::{Result, bail};

/// f64 values as f32 relative to a pivot per feature: Unix times, large identifiers, whose differences matter.
///
/// The pivots are the medians: a value is as exact as f32 is at its distance from the middle of its feature, whatever
/// lies at the ends. What is fitted of the values becomes parameters of the f64 by
/// [`DeviceFitter::finish_split`](crate::scaler::DeviceFitter::finish_split), and
/// [`Scaler::plan_transform_split`] transforms the values by such parameters. (On the CPU f64 are fitted as they are.)
///
/// ```
/// use wgnorm::scaler::{Features, Split};
/// let times = [1.7e9, 1.7e9 + 0.125, 1.7e9 + 0.25];
/// let split = Split::new(&times, Features::whole(3))?;
/// assert_eq!((&split.values[..], &split.pivots[..]), (&[-0.125, 0.0, 0.125][..], &[1.7e9 + 0.125][..]));
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What is left of the values, where they lie.
    pub values: Vec<f32>,
    /// What was subtracted, by feature.
    pub pivots: Vec<f64>,
}

impl Split {
    /// Splits values by the medians of their features.
    ///
    /// # Errors
    /// As [`median`].
    pub fn new(x: &[f64], features: Features) -> Result<Self> {
        let pivots: Vec<f64> = (median(x, features)?.into_iter())
            .map(|pivot| if pivot.is_finite() { pivot } else { 0.0 })
            .collect();
        Self::with_pivots(x, features, pivots)
    }

    /// Splits values by given pivots: those that other data were split by.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) if `x` is too short, [`Shape`](crate::ErrorKind::Shape) for another
    /// number of pivots than features.
    pub fn with_pivots(x: &[f64], features: Features, pivots: Vec<f64>) -> Result<Self> {
        features.check("x", x.len())?;
        features.expect("x", pivots.len())?;
        let mut values = vec![0.0; features.span()];
        for row in 0..features.rows() {
            for (feature, pivot) in pivots.iter().enumerate() {
                let place = features.offset(row, feature);
                values[place] = (x[place] - pivot) as f32;
            }
        }
        Ok(Self { values, pivots })
    }
}

impl Scaler {
    /// The parameters of data, given those of the data less the pivots.
    pub(super) fn unsplit(&self, pivots: &[f64]) -> Result<Self> {
        if pivots.len() != self.features {
            bail!(
                Shape,
                "pivots",
                "are {}, the parameters are those of {}",
                pivots.len(),
                self.features
            );
        }
        let unknown = || {
            bail!(
                Parameter,
                "method",
                "{}{} is not known of values less a pivot",
                self.method
                    .logarithm()
                    .map_or(String::new(), |first| format!("{}+", first.name())),
                self.method.name()
            )
        };
        if self.method.logarithm().is_some() {
            return unknown();
        }
        let mut fitted = self.fitted.clone();
        match &mut fitted {
            Fitted::Extremes(all) => all.iter_mut().zip(pivots).for_each(|(one, pivot)| {
                one.min += pivot;
                one.max += pivot;
            }),
            Fitted::Moments(all) => all.iter_mut().zip(pivots).for_each(|(one, pivot)| one.mean += pivot),
            Fitted::Quantiles(all) => all.iter_mut().zip(pivots).for_each(|(one, pivot)| {
                one.lower += pivot;
                one.median += pivot;
                one.upper += pivot;
            }),
            Fitted::References(all) => (all.iter_mut().zip(pivots))
                .for_each(|(table, pivot)| table.iter_mut().for_each(|reference| *reference += pivot)),
            Fitted::Powers(_) => return unknown(),
            Fitted::Given => {}
        }
        Self::new(self.method.clone(), self.features, fitted)
    }
}
