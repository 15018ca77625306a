//! Learning parameters: in one pass over parts, or in several over data that are read again.

use super::element::Element;
use super::extremes::extremes;
use super::features::Features;
use super::method::{Infinities, Method};
use super::moments::{check_weights, moments};
use super::parameters::{Fitted, Quantiles, Scaler};
use super::quantile::{Interpolation, Rank};
use super::robust::Robust;
use super::select::Selection;
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
        if let Fitted::Quantiles(_) = fitted {
            bail!(
                OnePass,
                "method",
                "{} needs order statistics, which one pass over parts cannot give; \
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
        if !matches!(self.method, Method::Standard(_)) {
            bail!(Parameter, "weights", "are given, but {} has none", self.method.name());
        }
        check_weights(weights, features.rows())?;
        self.absorb(x, features, Some(weights))
    }

    fn absorb<T: Element>(&mut self, x: &[T], features: Features, weights: Option<&[f64]>) -> Result<()> {
        features.check("x", x.len())?;
        features.expect("x", self.features)?;
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
            Fitted::Quantiles(_) | Fitted::Given => {}
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

/// How often order statistics need the data.
pub(super) fn passes<T: Element>() -> usize {
    Selection::<T>::passes()
}

/// Fits any method.
pub(super) fn fit<T: Element>(method: &Method, features: usize, mut chunks: impl ReadAgain<T>) -> Result<Scaler> {
    let mut fitter = PassFitter::<T>::new(method.clone(), features)?;
    if method.passes::<T>() == 0 {
        return fitter.finish();
    }
    loop {
        chunks.read(&mut |x, chunk| fitter.absorb(x, chunk))?;
        if !fitter.next_pass()? {
            return fitter.finish();
        }
    }
}

/// Parameters in the making, of any method: takes the data in parts, and as often as it asks for them.
///
/// [`Method::fit_chunks`] for those who read the data themselves: several fits can share one reading.
///
/// ```
/// use wgnorm::scaler::{Features, Method, MinMax, Robust};
/// let file = [[1.0f32, 2.0, 3.0], [4.0, 5.0, 9.0]];
/// let methods = [Method::from(Robust::new()), MinMax::new().into()];
/// let mut fitters = Vec::new();
/// for method in &methods {
///     fitters.push((method.pass_fitter::<f32>(1)?, true));
/// }
/// while fitters.iter().any(|(_, reads)| *reads) {
///     for (fitter, reads) in fitters.iter_mut().filter(|(_, reads)| *reads) {
///         for chunk in &file {
///             fitter.absorb(chunk, Features::whole(3))?;
///         }
///         *reads = fitter.next_pass()?;
///     }
/// }
/// assert_eq!((fitters[0].0.finish()?.center(), fitters[1].0.finish()?.center()), (&[3.5][..], &[1.0][..]));
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PassFitter<T: Element> {
    state: State<T>,
    rows: u64,
}

#[derive(Debug, Clone)]
enum State<T: Element> {
    Parts(Fitter),
    Passes(Box<RobustFit<T>>),
}

impl<T: Element> PassFitter<T> {
    pub(super) fn new(method: Method, features: usize) -> Result<Self> {
        let state = match method {
            Method::Robust(robust) => State::Passes(Box::new(RobustFit::new(robust, features))),
            method => State::Parts(Fitter::new(method, features)?),
        };
        Ok(Self { state, rows: 0 })
    }

    /// Learns from further rows of this pass.
    ///
    /// # Errors
    /// As [`Fitter::partial_fit`].
    pub fn absorb(&mut self, x: &[T], features: Features) -> Result<()> {
        match &mut self.state {
            State::Parts(fitter) => fitter.partial_fit(x, features)?,
            State::Passes(fit) if fit.complete => bail!(OnePass, "x", "is not needed again: all passes are done"),
            State::Passes(fit) => {
                features.check("x", x.len())?;
                features.expect("x", fit.features)?;
                fit.selection.count(x, &features);
            }
        }
        self.rows += features.rows() as u64;
        Ok(())
    }

    /// Learns from further rows, which have weights: for z-score.
    ///
    /// # Errors
    /// As [`Fitter::partial_fit_weighted`].
    pub fn absorb_weighted(&mut self, x: &[T], features: Features, weights: &[f64]) -> Result<()> {
        match &mut self.state {
            State::Parts(fitter) => fitter.partial_fit_weighted(x, features, weights)?,
            State::Passes(_) => bail!(Parameter, "weights", "are given, but order statistics have none"),
        }
        self.rows += features.rows() as u64;
        Ok(())
    }

    /// Ends a pass. True if the data are needed again, the same as before.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) if there were no rows, infinities where they are refused, or other
    /// data than in the pass before.
    pub fn next_pass(&mut self) -> Result<bool> {
        match &mut self.state {
            State::Parts(fitter) if fitter.method.passes::<T>() == 0 => Ok(false),
            State::Parts(_) => check_rows(self.rows).map(|()| false),
            State::Passes(fit) if fit.complete => Ok(false),
            State::Passes(fit) => fit.next(),
        }
    }

    /// The scaler.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) before the last pass.
    pub fn finish(&self) -> Result<Scaler> {
        match &self.state {
            State::Parts(fitter) => fitter.finish(),
            State::Passes(fit) => fit.finish(),
        }
    }
}

/// A robust fit in progress, whoever counts for it.
#[derive(Debug, Clone)]
pub(super) struct RobustFit<T: Element> {
    robust: Robust,
    features: usize,
    pub selection: Selection<T>,
    complete: bool,
}

impl<T: Element> RobustFit<T> {
    pub fn new(robust: Robust, features: usize) -> Self {
        let ranks = [robust.lower, 50.0, robust.upper].map(|percent| Rank {
            q: percent / 100.0,
            interpolation: Interpolation::Linear,
        });
        Self {
            robust,
            features,
            selection: Selection::new(features, ranks.to_vec()),
            complete: false,
        }
    }

    /// Ends a pass. True if the data have to be read again.
    pub fn next(&mut self) -> Result<bool> {
        let again = self.selection.next()?;
        check_rows(self.selection.rows())?;
        refuse_infinity(self.robust.infinities == Infinities::Refuse, self.selection.infinite())?;
        self.complete = !again;
        Ok(again)
    }

    pub fn finish(&self) -> Result<Scaler> {
        if !self.complete {
            bail!(OnePass, "method", "needs all its passes over the data");
        }
        let quantiles = (self.selection.finish().iter())
            .map(|selected| {
                let [lower, median, upper] = [0, 1, 2].map(|i| selected.at(&self.selection.quantiles()[i]));
                let count = selected.count;
                Quantiles {
                    count,
                    lower,
                    median,
                    upper,
                }
            })
            .collect();
        let method = Method::Robust(self.robust.clone());
        Scaler::new(method, self.features, Fitted::Quantiles(quantiles))
    }
}

/// Refuses no rows.
pub(super) fn check_rows(rows: u64) -> Result<()> {
    if rows == 0 {
        bail!(Data, "chunks", "have no rows, there is nothing to learn from");
    }
    Ok(())
}
