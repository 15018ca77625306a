use super::method::{Infinities, Method, methods};
use super::normal::normal_quantile;
use super::parameters::{Fitted, Quantiles};
use super::quantile::Interpolation;
use super::ranks::{Rank, Ranks};
use super::select::Selected;
use crate::error::{Result, bail};

/// Robust scaling: by median and quantiles, which outliers do not move.
///
/// ```text
/// y = (x - median) / (upper quantile - lower quantile)
/// ```
///
/// (scikit-learn's `RobustScaler`; quantiles interpolated, from 25% to 75% by default.) A distance below 10 f64 epsilons
/// counts as 1. NaN is ignored by the fit and kept by the transform.
///
/// The quantiles are exact. They cannot be had in one pass over the data: data that do not fit in memory are fitted by
/// [`fit_chunks`](Self::fit_chunks), which reads them several times.
///
/// ```
/// use wgnorm::scaler::{Features, Robust};
/// let x = [1.0f32, 2.0, 3.0, 4.0, 1e9];
/// let scaler = Robust::new().fit(&x, Features::whole(5))?;
/// assert_eq!((scaler.center(), scaler.scale()), (&[3.0][..], &[2.0][..]));
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Robust {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) centering: bool,
    pub(super) scaling: bool,
    pub(super) unit_variance: bool,
    pub(super) infinities: Infinities,
}

methods!(Robust);

impl Robust {
    /// With centering and scaling, by the quartiles.
    pub fn new() -> Self {
        Self {
            lower: 25.0,
            upper: 75.0,
            centering: true,
            scaling: true,
            unit_variance: false,
            infinities: Infinities::default(),
        }
    }

    /// The lower and the upper quantile in percent.
    pub fn quantile_range(mut self, lower: f64, upper: f64) -> Self {
        (self.lower, self.upper) = (lower, upper);
        self
    }

    /// Whether the median is subtracted.
    pub fn centering(mut self, centering: bool) -> Self {
        self.centering = centering;
        self
    }

    /// Whether is divided by the distance of the quantiles.
    pub fn scaling(mut self, scaling: bool) -> Self {
        self.scaling = scaling;
        self
    }

    /// Whether the distance of the quantiles is taken in units of that of a standard normal distribution, so that normal
    /// data get variance 1.
    pub fn unit_variance(mut self, unit_variance: bool) -> Self {
        self.unit_variance = unit_variance;
        self
    }

    /// What the fit makes of infinities.
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }

    /// The distance of the quantiles of a standard normal distribution, or 1 if it is not asked for.
    pub(super) fn unit(&self) -> f64 {
        match self.unit_variance {
            true => normal_quantile(self.upper / 100.0) - normal_quantile(self.lower / 100.0),
            false => 1.0,
        }
    }

    fn quantiles(&self) -> [Rank; 3] {
        [self.lower, 50.0, self.upper].map(|percent| Rank {
            q: percent / 100.0,
            interpolation: Interpolation::Linear,
        })
    }

    /// What is wanted of every feature.
    pub(super) fn ranks(&self) -> Ranks {
        Ranks::Quantiles(self.quantiles().to_vec())
    }

    /// What is learned of the values of these ranks.
    pub(super) fn fitted(&self, selected: &[Selected]) -> Fitted {
        let quantiles = |selected: &Selected| {
            let [lower, median, upper] = self.quantiles().map(|quantile| selected.at(&quantile));
            Quantiles {
                count: selected.count,
                lower,
                median,
                upper,
            }
        };
        Fitted::Quantiles(selected.iter().map(quantiles).collect())
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { lower, upper, .. } = *self;
        if !(0.0 <= lower && lower <= upper && upper <= 100.0) {
            bail!(
                Parameter,
                "quantile_range",
                "is {lower} to {upper}, percents in increasing order are needed"
            );
        }
        if !(self.unit().is_finite() && self.unit() > 0.0) {
            bail!(
                Parameter,
                "quantile_range",
                "is {lower} to {upper}, between which a normal distribution has no finite range"
            );
        }
        Ok(())
    }
}

impl Default for Robust {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Robust> for Method {
    fn from(method: Robust) -> Self {
        Self::Robust(method)
    }
}
