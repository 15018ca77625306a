//! Feature scaling: parameters are learned from data (fit), applied to the same or other data (transform), and undone
//! (inverse). In f64 parameters, on the CPU's threads.
//!
//! | builder | y | learned | scikit-learn |
//! |---|---|---|---|
//! | [`MinMax`] | `(x - min) / (max - min) * (high - low) + low` | in one pass, parts merge | `MinMaxScaler` |
//! | [`MaxAbs`] | `x / max abs(x)` | in one pass, parts merge | `MaxAbsScaler` |
//! | [`Standard`] | `(x - mean) / deviation` | in one pass, parts merge | `StandardScaler` |
//! | [`Robust`] | `(x - median) / (upper - lower quantile)` | in several passes | `RobustScaler` |
//! | [`QuantileTransform`] | `F(x)`, or its normal quantile | in several passes | `QuantileTransformer` |
//! | [`PowerTransform`] | a power of x, standardized | in several passes | `PowerTransformer` |
//! | [`FixedRange`] | `(x - a) / b` | nothing | |
//! | [`UnitNorm`] | `x / norm(row)` | nothing | `Normalizer` |
//!
//! A [`Logarithm`] may come before any of them. [`Method::fit_grouped`] learns parameters of every device, every site:
//! by a key that each row has. [`quantiles`], [`median`], [`histogram`](histogram()) and means that outliers do not
//! carry away ([`median_of_means`], [`trimmed_mean`], [`winsorized_mean`]) are there for themselves.
//!
//! A builder's `fit` makes a [`Scaler`], which transforms. [`Features`] says what has parameters of its own: the columns
//! of a table, channels, samples, or all together. Elements are f32, f64 or u8; results f32 or f64.
//!
//! ```
//! use wgnorm::scaler::{Features, Robust};
//! // Four rows of two columns: one has an outlier, the other a gap.
//! let table = [1.0f32, 10.0, 2.0, f32::NAN, 3.0, 30.0, 1e6, 20.0];
//! let columns = Features::columns(4, 2);
//! let scaler = Robust::new().quantile_range(25.0, 75.0).fit(&table, columns)?;
//! assert_eq!(scaler.center(), [2.5, 20.0]);
//! let mut y = [0.0f32; 8];
//! scaler.transform(&table, columns, &mut y)?;
//! assert!(y[3].is_nan() && y[5] == 1.0);
//! # Ok::<(), wgnorm::Error>(())
//! ```
//!
//! # On a device
//!
//! f32 or u8 in buffers of a device is fitted by a [`DeviceFitter`] (by key, a [`DeviceGroupedFitter`]), whose results
//! become parameters on the host, and transformed by a [`TransformPlan`]; [`DeviceQuantiles`],
//! [`DeviceHistogram`] and [`DeviceCenters`] are there for themselves. All record into the caller's encoder. Order statistics, extremes and counts are exact there too,
//! the same bits as on the CPU. On the CPU alone: the search for powers, fits by key that take several passes, and
//! logarithms before quantile and power transforms and unit norms.
//!
//! # Rules
//!
//! They are scikit-learn's in f64, whatever the type of the elements. NaN is ignored by a fit and kept by a transform.
//! Features that do not vary get a scale of 1. Infinities are refused, or kept on request ([`Infinities`]). A feature
//! that has no value but NaN gets NaN as parameters.
//!
//! # Accuracy
//!
//! On the CPU all is computed in f64: y is off by its last rounding, to f32 or f64, and by a few roundings of f64 of the
//! magnitude of `center / scale`. Minima, maxima, quantiles and counts are exact. A mean is off by less than
//! `2^-50 max|x|`, a variance by less than `2^-45 + 2^-50 |mean| / deviation` of itself. Results are the same bits from run to
//! run and on any number of threads.

mod apply;
mod brent;
mod centers;
mod device;
mod element;
mod extremes;
mod features;
mod fit;
mod fixed;
mod grouped;
mod grouped_fit;
mod histogram;
mod logarithm;
mod map;
mod maxabs;
mod method;
mod minmax;
mod moments;
mod normal;
mod parallel;
mod parameters;
mod passes;
mod power;
mod power_fit;
mod quantile;
mod quantile_transform;
mod ranks;
mod robust;
mod select;
mod split;
mod standard;
#[cfg(feature = "serde")]
mod stored;
#[cfg(test)]
mod tests;
mod unit;

pub use centers::{median_of_means, trimmed_mean, winsorized_mean};
pub use device::{
    DeviceCenters, DeviceFitter, DeviceGroupedFitter, DeviceHistogram, DeviceQuantiles, Recorded, ScalerShader,
    TransformPlan, scaler_shaders,
};
pub use element::{Element, Real};
pub use extremes::Extremes;
pub use features::Features;
pub use fit::{Fitter, ReadAgain, Visit};
pub use fixed::FixedRange;
pub use grouped::GroupedScaler;
pub use grouped_fit::GroupedFitter;
pub use histogram::{Edges, Histogram, histogram};
pub use logarithm::{LogFirst, Logarithm};
pub use maxabs::MaxAbs;
pub use method::{Infinities, Method};
pub use minmax::MinMax;
pub use moments::Moment;
pub use parameters::{Fitted, Quantiles, Scaler};
pub use passes::PassFitter;
pub use power::{Power, PowerTransform, Powers};
pub use quantile::{Interpolation, median, quantiles};
pub use quantile_transform::{Distribution, QuantileTransform};
pub use robust::Robust;
pub use split::Split;
pub use standard::Standard;
pub use unit::{Norm, UnitNorm};
