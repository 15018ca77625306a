use super::element::Element;
use super::features::Features;
use super::method::{Infinities, Method, methods};
use super::parameters::Scaler;
use crate::error::Result;

/// Standardization, z-score: every feature gets mean 0 and standard deviation 1.
///
/// ```text
/// y = (x - mean) / sqrt(var),   var = sum(w (x - mean)^2) / sum(w)
/// ```
///
/// (scikit-learn's `StandardScaler`.) The weights w of the rows are 1 if none are given. A feature counts as constant,
/// and its deviation as 1, where its variance is within the error of computing it,
/// `var <= n eps var + (n mean eps)^2` with the epsilon of f64 (Chan, Golub and LeVeque 1983). NaN is ignored by the fit
/// and kept by the transform.
///
/// ```
/// use wgnorm::scaler::{Features, Standard};
/// let x = [1.0f32, 10.0, 3.0, 10.0];
/// let table = Features::columns(2, 2);
/// let scaler = Standard::new().fit(&x, table)?;
/// let mut y = [0.0f32; 4];
/// scaler.transform(&x, table, &mut y)?;
/// assert_eq!(y, [-1.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Standard {
    pub(super) mean: bool,
    pub(super) deviation: bool,
    pub(super) infinities: Infinities,
}

methods!(Standard);

impl Standard {
    /// With mean and deviation.
    pub fn new() -> Self {
        Self {
            mean: true,
            deviation: true,
            infinities: Infinities::default(),
        }
    }

    /// Whether the mean is subtracted.
    pub fn with_mean(mut self, mean: bool) -> Self {
        self.mean = mean;
        self
    }

    /// Whether is divided by the standard deviation.
    pub fn with_deviation(mut self, deviation: bool) -> Self {
        self.deviation = deviation;
        self
    }

    /// What the fit makes of infinities.
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }

    /// Learns the parameters of weighted rows: one weight a row, finite and not negative.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and for weights that are none.
    pub fn fit_weighted<T: Element>(&self, x: &[T], features: Features, weights: &[f64]) -> Result<Scaler> {
        let mut fitter = self.fitter(features.count())?;
        fitter.partial_fit_weighted(x, features, weights)?;
        fitter.finish()
    }
}

impl Default for Standard {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Standard> for Method {
    fn from(method: Standard) -> Self {
        Self::Standard(method)
    }
}
