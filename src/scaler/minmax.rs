use super::method::{Infinities, Method, methods};
use crate::error::{Result, bail};

/// Min-max scaling: the range of every feature becomes `low` to `high`, 0 to 1 by default.
///
/// ```text
/// y = (x - min) / (max - min) * (high - low) + low
/// ```
///
/// (scikit-learn's `MinMaxScaler`.) A range below 10 f64 epsilons counts as 1: a constant becomes `low`. NaN is ignored
/// by the fit and kept by the transform. With [`clip`](Self::clip), data beyond the fitted range become `low` or
/// `high`; their inverse is then the fitted bound.
///
/// ```
/// use wgnorm::scaler::{Features, MinMax};
/// let ages = [20.0f32, 70.0, 45.0];
/// let scaler = MinMax::new().fit(&ages, Features::columns(3, 1))?;
/// let mut y = [0.0f32; 3];
/// scaler.transform(&ages, Features::columns(3, 1), &mut y)?;
/// assert_eq!(y, [0.0, 1.0, 0.5]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MinMax {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) clip: bool,
    pub(super) infinities: Infinities,
}

methods!(MinMax);

impl MinMax {
    /// To 0 to 1, not clipped.
    pub fn new() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
            clip: false,
            infinities: Infinities::default(),
        }
    }

    /// The range of y.
    pub fn range(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (low, high);
        self
    }

    /// The ends of the range of y.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether y is held within its range.
    pub fn clip(mut self, clip: bool) -> Self {
        self.clip = clip;
        self
    }

    /// What the fit makes of infinities.
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { low, high, .. } = *self;
        if !(low < high && (high - low).is_finite()) {
            bail!(
                Parameter,
                "range",
                "is {low} to {high}, finite numbers in increasing order are needed"
            );
        }
        Ok(())
    }
}

impl Default for MinMax {
    fn default() -> Self {
        Self::new()
    }
}

impl From<MinMax> for Method {
    fn from(method: MinMax) -> Self {
        Self::MinMax(method)
    }
}
