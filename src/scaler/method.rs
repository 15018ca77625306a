//! What a scaler does, with its settings.

use super::element::Element;
use super::extremes::Extremes;
use super::features::Features;
use super::fit::{Fitter, ReadAgain, Visit};
use super::logarithm::{Logarithm, check_domain};
use super::moments::Moment;
use super::parameters::{Fitted, Quantiles, Scaler};
use super::passes::{self, PassFitter};
use super::power::Power;
use super::{FixedRange, LogFirst, MaxAbs, MinMax, PowerTransform, QuantileTransform, Robust, Standard, UnitNorm};
use crate::error::{Result, bail};

/// What a fit makes of infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Infinities {
    /// An error that names a feature.
    #[default]
    Refuse,
    /// They are values like others: of quantiles, harmlessly; a mean, a range becomes infinite or NaN.
    Keep,
}

/// A method with its settings: what a [`Scaler`] was made by. Made from a builder.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Method {
    /// To the range of the data.
    MinMax(MinMax),
    /// To the largest magnitude.
    MaxAbs(MaxAbs),
    /// To mean and deviation.
    Standard(Standard),
    /// To median and quantiles.
    Robust(Robust),
    /// To given numbers.
    FixedRange(FixedRange),
    /// To the norms of rows.
    UnitNorm(UnitNorm),
    /// To a uniform or normal distribution.
    Quantile(QuantileTransform),
    /// To what is most like a normal distribution.
    Power(PowerTransform),
    /// A logarithm, then another.
    LogFirst(LogFirst),
}

impl Method {
    /// Its name in messages and files; after a logarithm, that of what scales.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MinMax(_) => "min_max",
            Self::MaxAbs(_) => "max_abs",
            Self::Standard(_) => "standard",
            Self::Robust(_) => "robust",
            Self::FixedRange(_) => "fixed_range",
            Self::UnitNorm(_) => "unit_norm",
            Self::Quantile(_) => "quantile",
            Self::Power(_) => "power",
            Self::LogFirst(first) => first.then.name(),
        }
    }

    /// How often a fit reads elements of this type: one pass can take the data [in parts](Self::fitter), more read them
    /// [again](Self::fit_chunks). Power transforms search, and take so many passes at most.
    pub fn passes<T: Element>(&self) -> usize {
        match self {
            Self::Robust(method) => passes::of_ranks::<T>(&method.ranks()),
            Self::Quantile(method) => passes::of_ranks::<T>(&method.ranks()),
            Self::Power(_) => PowerTransform::MOST_PASSES,
            Self::LogFirst(first) => first.then.passes::<f64>(),
            Self::FixedRange(_) | Self::UnitNorm(_) => 0,
            Self::MinMax(_) | Self::MaxAbs(_) | Self::Standard(_) => 1,
        }
    }

    /// The logarithm that is taken first, if any.
    pub fn logarithm(&self) -> Option<Logarithm> {
        match self {
            Self::LogFirst(first) => Some(first.logarithm),
            _ => None,
        }
    }

    /// What scales, without a logarithm before it.
    pub(super) fn core(&self) -> &Self {
        match self {
            Self::LogFirst(first) => &first.then,
            method => method,
        }
    }

    /// Learns the parameters of `x`, NaN ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings, [`Size`](crate::ErrorKind::Size) if `x`
    /// is too short, [`Data`](crate::ErrorKind::Data) if there are no rows, or infinities where they are refused.
    pub fn fit<T: Element>(&self, x: &[T], features: Features) -> Result<Scaler> {
        features.check("x", x.len())?;
        features.check_rows("x")?;
        self.fit_chunks(features.count(), |visit: &mut Visit<'_, T>| visit(x, features))
    }

    /// Learns the parameters of data that are read in chunks, as often as [`passes`](Self::passes) says, and need not be
    /// in memory: see [`ReadAgain`]. Chunks may have any number of rows and come in any order.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), those of the reading, and [`ErrorKind::Data`](crate::ErrorKind::Data) if the data are not
    /// the same at every reading.
    pub fn fit_chunks<T: Element>(&self, features: usize, chunks: impl ReadAgain<T>) -> Result<Scaler> {
        self.check(features)?;
        passes::fit(self, features, chunks)
    }

    /// What takes the data in parts, in one pass.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings,
    /// [`OnePass`](crate::ErrorKind::OnePass) for methods that need order statistics: those take data in chunks by
    /// [`fit_chunks`](Self::fit_chunks).
    pub fn fitter(&self, features: usize) -> Result<Fitter> {
        self.check(features)?;
        Fitter::new(self.clone(), features)
    }

    /// What takes the data in parts, pass by pass, for all methods.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings.
    pub fn pass_fitter<T: Element>(&self, features: usize) -> Result<PassFitter<T>> {
        self.check(features)?;
        PassFitter::new(self.clone(), features)
    }

    pub(super) fn infinities(&self) -> Infinities {
        match self {
            Self::MinMax(method) => method.infinities,
            Self::MaxAbs(method) => method.infinities,
            Self::Standard(method) => method.infinities,
            Self::Robust(method) => method.infinities,
            Self::Quantile(method) => method.infinities,
            Self::Power(method) => method.infinities,
            Self::LogFirst(first) => first.then.infinities(),
            Self::FixedRange(_) | Self::UnitNorm(_) => Infinities::Keep,
        }
    }

    /// Checks the settings.
    pub(super) fn check(&self, features: usize) -> Result<()> {
        match self {
            Self::MinMax(method) => method.check(),
            Self::Robust(method) => method.check(),
            Self::FixedRange(method) => {
                method.check()?;
                match method.a.len() {
                    1 => Ok(()),
                    len => Features::columns(1, features).expect("features", len),
                }
            }
            Self::Quantile(method) => method.check(),
            Self::LogFirst(first) => first.check(features),
            Self::MaxAbs(_) | Self::Standard(_) | Self::UnitNorm(_) | Self::Power(_) => Ok(()),
        }
    }

    /// Whether a value can be scaled: has a logarithm where one is taken, and a power. A NaN stays one.
    pub fn takes(&self, x: f64) -> bool {
        match self {
            Self::LogFirst(first) => first.logarithm.takes(x) && first.then.takes(first.logarithm.of(x)),
            Self::Power(power) => power.takes(x),
            _ => true,
        }
    }

    /// Refuses weights of rows where the method has none.
    pub(super) fn check_weighted(&self) -> Result<()> {
        if !matches!(self.core(), Self::Standard(_)) {
            bail!(Parameter, "weights", "are given, but {} has none", self.name());
        }
        Ok(())
    }

    /// Refuses values that cannot be scaled.
    pub(super) fn check_domain<T: Element>(&self, x: &[T], features: &Features) -> Result<()> {
        const BOX_COX: &str = "Box-Cox powers are of values above 0; Yeo-Johnson takes all";
        let why = match (self, self.core()) {
            (_, Self::Power(power)) if !power.takes(0.0) => BOX_COX,
            (Self::LogFirst(first), _) if first.logarithm != Logarithm::Symlog => first.logarithm.domain(),
            _ => return Ok(()),
        };
        check_domain(x, features, why, |x| self.takes(x))
    }

    /// What is known of no data.
    pub(super) fn nothing(&self, features: usize) -> Fitted {
        match self {
            Self::MinMax(_) | Self::MaxAbs(_) => Fitted::Extremes(vec![Extremes::NONE; features]),
            Self::Standard(_) => Fitted::Moments(vec![Moment::default(); features]),
            Self::Robust(_) => Fitted::Quantiles(vec![Quantiles::NONE; features]),
            Self::Quantile(_) => Fitted::References(vec![vec![f64::NAN]; features]),
            Self::Power(_) => Fitted::Powers(vec![Power::NONE; features]),
            Self::LogFirst(first) => first.then.nothing(features),
            Self::FixedRange(_) | Self::UnitNorm(_) => Fitted::Given,
        }
    }
}

/// The methods over [`Method`] that every builder has.
macro_rules! methods {
    ($builder:ident) => {
        impl $builder {
            /// Learns the parameters of `x`: [`Method::fit`](crate::scaler::Method::fit).
            ///
            /// # Errors
            /// As [`Method::fit`](crate::scaler::Method::fit).
            pub fn fit<T: $crate::scaler::Element>(
                &self,
                x: &[T],
                features: $crate::scaler::Features,
            ) -> $crate::Result<$crate::scaler::Scaler> {
                $crate::scaler::Method::from(self.clone()).fit(x, features)
            }

            /// Learns the parameters of data that are read in chunks:
            /// [`Method::fit_chunks`](crate::scaler::Method::fit_chunks).
            ///
            /// # Errors
            /// As [`Method::fit_chunks`](crate::scaler::Method::fit_chunks).
            pub fn fit_chunks<T: $crate::scaler::Element>(
                &self,
                features: usize,
                chunks: impl $crate::scaler::ReadAgain<T>,
            ) -> $crate::Result<$crate::scaler::Scaler> {
                $crate::scaler::Method::from(self.clone()).fit_chunks(features, chunks)
            }

            /// What takes the data in parts, in one pass: [`Method::fitter`](crate::scaler::Method::fitter).
            ///
            /// # Errors
            /// As [`Method::fitter`](crate::scaler::Method::fitter).
            pub fn fitter(&self, features: usize) -> $crate::Result<$crate::scaler::Fitter> {
                $crate::scaler::Method::from(self.clone()).fitter(features)
            }
        }
    };
}
pub(super) use methods;
