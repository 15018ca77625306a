use super::method::{Infinities, Method, methods};

/// Max-abs scaling: the largest magnitude of every feature becomes 1, and 0 stays 0.
///
/// ```text
/// y = x / max|x|
/// ```
///
/// (scikit-learn's `MaxAbsScaler`.) A magnitude below 10 f64 epsilons counts as 1. NaN is ignored by the fit and kept
/// by the transform.
///
/// ```
/// use wgnorm::scaler::{Features, MaxAbs};
/// let mut x = [2.0f32, -8.0, 4.0];
/// let scaler = MaxAbs::new().fit(&x, Features::whole(3))?;
/// scaler.transform_in_place(&mut x, Features::whole(3))?;
/// assert_eq!(x, [0.25, -1.0, 0.5]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MaxAbs {
    pub(super) clip: bool,
    pub(super) infinities: Infinities,
}

methods!(MaxAbs);

impl MaxAbs {
    /// Not clipped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether y is held within -1 and 1.
    pub fn clip(mut self, clip: bool) -> Self {
        self.clip = clip;
        self
    }

    /// What the fit makes of infinities.
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }
}

impl From<MaxAbs> for Method {
    fn from(method: MaxAbs) -> Self {
        Self::MaxAbs(method)
    }
}
