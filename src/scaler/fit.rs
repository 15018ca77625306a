//! Learning parameters in one pass over parts.

use super::element::Element;
use super::extremes::extremes;
use super::features::Features;
use super::method::{Infinities, Method};
use super::moments::{check_weights, moments};
use super::parameters::{Fitted, Scaler};
use crate::error::{Result, bail};

/// What chunks are given to while they are read: see [`ReadAgain`].
pub type Visit<'a, T> = dyn FnMut(&[T], Features) -> Result<()> + 'a;

/// Data that can be read again, in chunks.
///
/// A closure is one: it gives every chunk to its argument, with where the features lie, every time it is called.
///
/// ```
/// use wgnorm::scaler::{Features, Robust, Visit};
/// let file = [[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// let scaler = Robust::new().fit_chunks(1, |visit: &mut Visit<'_, f32>| {
///     file.iter().try_for_each(|chunk| visit(chunk, Features::whole(3)))
/// })?;
/// assert_eq!(scaler.center(), [3.5]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
pub trait ReadAgain<T> {
    /// Gives all chunks to `visit`, from the beginning.
    ///
    /// # Errors
    /// Those of `visit`, and what the reading adds to them.
    fn read(&mut self, visit: &mut Visit<'_, T>) -> Result<()>;
}

impl<T, F: FnMut(&mut Visit<'_, T>) -> Result<()>> ReadAgain<T> for F {
    fn read(&mut self, visit: &mut Visit<'_, T>) -> Result<()> {
        self(visit)
    }
}

/// Parameters in the making: takes data in parts, in any order, and merges with others. Memory does not grow with them.
///
/// For methods whose parameters merge: min-max, max-abs, z-score. Minima, maxima and counts are the same bits as of all
/// data at once; means and variances differ by roundings of f64.
///
/// ```
/// use wgnorm::scaler::{Features, Standard};
/// let mut fitter = Standard::new().fitter(1)?;
/// fitter.partial_fit(&[1.0f32, 2.0], Features::whole(2))?;
/// let mut other = Standard::new().fitter(1)?;
/// other.partial_fit(&[6.0f32], Features::whole(1))?;
/// fitter.merge(&other)?;
/// assert_eq!(fitter.finish()?.center(), [3.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fitter {
    pub(super) method: Method,
    pub(super) features: usize,
    pub(super) fitted: Fitted,
}

impl Fitter {
    pub(super) fn new(method: Method, features: usize) -> Result<Self> {
        let fitted = method.nothing(features);
        Self::resume(method, features, fitted)
    }

    /// Goes on from parameters.
    pub(super) fn resume(method: Method, features: usize, fitted: Fitted) -> Result<Self> {
        if let Fitted::Quantiles(_) | Fitted::References(_) | Fitted::Powers(_) = fitted {
            bail!(
                OnePass,
                "method",
                "{} needs order statistics or a search, which one pass over parts cannot give; \
                 fit_chunks reads the same parts several times",
                method.name()
            );
        }
        Ok(Self {
            method,
            features,
            fitted,
        })
    }

    /// Learns from further rows.
    ///
    /// # Errors
    /// As [`Method::fit`], but that there may be no rows; what was learned before stays.
    pub fn partial_fit<T: Element>(&mut self, x: &[T], features: Features) -> Result<()> {
        self.absorb(x, features, None)
    }

    /// Learns from further rows, which have weights: for z-score.
    ///
    /// # Errors
    /// As [`partial_fit`](Self::partial_fit), and [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of
    /// weights than rows, [`Parameter`](crate::ErrorKind::Parameter) for weights that are negative or not finite, and
    /// for methods that have none.
    pub fn partial_fit_weighted<T: Element>(&mut self, x: &[T], features: Features, weights: &[f64]) -> Result<()> {
        self.method.check_weighted()?;
        check_weights(weights, features.rows())?;
        self.absorb(x, features, Some(weights))
    }

    fn absorb<T: Element>(&mut self, x: &[T], features: Features, weights: Option<&[f64]>) -> Result<()> {
        features.check("x", x.len())?;
        features.expect("x", self.features)?;
        match self.method.logarithm() {
            None => self.learn(x, features, weights),
            Some(logarithm) => {
                let (logarithms, table) = logarithm.table(x, &features)?;
                self.learn(&logarithms, table, weights)
            }
        }
    }

    fn learn<T: Element>(&mut self, x: &[T], features: Features, weights: Option<&[f64]>) -> Result<()> {
        let refuse = self.method.infinities() == Infinities::Refuse;
        match &mut self.fitted {
            Fitted::Extremes(whole) => {
                let part = extremes(x, &features);
                refuse_infinity(refuse, part.iter().position(|part| part.is_infinite()))?;
                whole.iter_mut().zip(&part).for_each(|(whole, part)| whole.merge(part));
            }
            Fitted::Moments(whole) => {
                let part = moments(x, &features, weights);
                // Finite f32 have finite moments; of f64, only those that overflow have none.
                let feature = part
                    .iter()
                    .position(|part| !(part.mean.is_finite() && part.m2.is_finite()));
                refuse_infinity(refuse, feature)?;
                whole.iter_mut().zip(&part).for_each(|(whole, part)| whole.merge(part));
            }
            Fitted::Quantiles(_) | Fitted::References(_) | Fitted::Powers(_) | Fitted::Given => {}
        }
        Ok(())
    }

    /// Learns what another has learned.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if it has another number of features,
    /// [`Parameter`](crate::ErrorKind::Parameter) if it is of another method.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        Features::columns(1, other.features).expect("other", self.features)?;
        if self.method != other.method {
            bail!(
                Parameter,
                "other",
                "is {:?}, merged with {:?}: they have to be alike",
                other.method,
                self.method
            );
        }
        match (&mut self.fitted, &other.fitted) {
            (Fitted::Extremes(whole), Fitted::Extremes(part)) => {
                whole.iter_mut().zip(part).for_each(|(whole, part)| whole.merge(part));
            }
            (Fitted::Moments(whole), Fitted::Moments(part)) => {
                whole.iter_mut().zip(part).for_each(|(whole, part)| whole.merge(part));
            }
            _ => {}
        }
        Ok(())
    }

    /// The scaler of what was learned so far. Features without a value have NaN as parameters.
    ///
    /// # Errors
    /// None that a fitter of this crate could have.
    pub fn finish(&self) -> Result<Scaler> {
        Scaler::new(self.method.clone(), self.features, self.fitted.clone())
    }
}

pub(super) fn refuse_infinity(refuse: bool, feature: Option<usize>) -> Result<()> {
    match feature {
        Some(feature) if refuse => bail!(
            Data,
            "x",
            "has an infinity in feature {feature}, or values whose squares are beyond f64; infinities can be kept"
        ),
        _ => Ok(()),
    }
}

/// Refuses no rows.
pub(super) fn check_rows(rows: u64) -> Result<()> {
    if rows == 0 {
        bail!(Data, "chunks", "have no rows, there is nothing to learn from");
    }
    Ok(())
}
