//! Learning parameters in several passes over data that are read again.

use super::element::Element;
use super::features::Features;
use super::fit::{Fitter, ReadAgain, check_rows, refuse_infinity};
use super::logarithm::LogFirst;
use super::method::{Infinities, Method};
use super::parameters::{Fitted, Scaler};
use super::power_fit::PowerFit;
use super::ranks::Ranks;
use super::select::{Selected, Selection};
use crate::error::{Result, bail};

/// How often the data are read for values of these ranks.
pub(super) fn of_ranks<T: Element>(ranks: &Ranks) -> usize {
    Selection::<T>::passes(ranks)
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
    Orders(Box<OrderFit<T>>),
    Powers(Box<PowerFit>),
    /// Of the logarithms of what is given.
    Logarithms(LogFirst, Box<PassFitter<f64>>),
}

impl<T: Element> PassFitter<T> {
    pub(super) fn new(method: Method, features: usize) -> Result<Self> {
        let state = match method {
            Method::Robust(_) | Method::Quantile(_) => State::Orders(Box::new(OrderFit::new(method, features)?)),
            Method::Power(power) => State::Powers(Box::new(PowerFit::new(power, features))),
            Method::LogFirst(first) => {
                let then = PassFitter::new((*first.then).clone(), features)?;
                State::Logarithms(first, Box::new(then))
            }
            method => State::Parts(Fitter::new(method, features)?),
        };
        Ok(Self { state, rows: 0 })
    }

    /// Learns from further rows of this pass.
    ///
    /// # Errors
    /// As [`Fitter::partial_fit`], and [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) after the last pass.
    pub fn absorb(&mut self, x: &[T], features: Features) -> Result<()> {
        match &mut self.state {
            State::Parts(fitter) => fitter.partial_fit(x, features)?,
            State::Orders(fit) => fit.absorb(x, features)?,
            State::Powers(fit) => fit.absorb(x, features)?,
            State::Logarithms(first, then) => {
                features.check("x", x.len())?;
                let (logarithms, table) = first.logarithm.table(x, &features)?;
                then.absorb(&logarithms, table)?;
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
            State::Orders(_) | State::Powers(_) => {
                bail!(
                    Parameter,
                    "weights",
                    "are given, but what takes several passes has none"
                );
            }
            State::Logarithms(first, then) => {
                features.check("x", x.len())?;
                let (logarithms, table) = first.logarithm.table(x, &features)?;
                then.absorb_weighted(&logarithms, table, weights)?;
            }
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
            State::Orders(fit) => fit.next(),
            State::Powers(fit) => fit.next(),
            State::Logarithms(_, then) => then.next_pass(),
        }
    }

    /// Learns what another has learned.
    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        match (&mut self.state, &other.state) {
            (State::Parts(all), State::Parts(part)) => all.merge(part)?,
            (State::Logarithms(_, all), State::Logarithms(_, part)) => all.merge(part)?,
            _ => bail!(
                OnePass,
                "other",
                "takes its data in several passes: what passes count does not merge, all data go to one fitter"
            ),
        }
        self.rows += other.rows;
        Ok(())
    }

    /// The scaler.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) before the last pass.
    pub fn finish(&self) -> Result<Scaler> {
        match &self.state {
            State::Parts(fitter) => fitter.finish(),
            State::Orders(fit) => fit.finish(),
            State::Powers(fit) => fit.finish(),
            State::Logarithms(first, then) => {
                let of_logarithms = then.finish()?;
                Scaler::new(first.clone().into(), of_logarithms.features, of_logarithms.fitted)
            }
        }
    }
}

/// A fit of order statistics in progress, whoever counts for it.
#[derive(Debug, Clone)]
pub(super) struct OrderFit<T: Element> {
    method: Method,
    features: usize,
    pub selection: Selection<T>,
    complete: bool,
}

impl<T: Element> OrderFit<T> {
    /// Of a method that takes order statistics. After a logarithm, the elements themselves are selected, which have its
    /// order, and what is wanted of logarithms is taken of those selected.
    pub fn new(method: Method, features: usize) -> Result<Self> {
        let mut ranks = match method.core() {
            Method::Robust(robust) => robust.ranks(),
            Method::Quantile(quantile) => quantile.ranks(),
            _ => bail!(Parameter, "method", "{} takes no order statistics", method.name()),
        };
        if method.logarithm().is_some() {
            ranks.want_smallest();
        }
        Ok(Self {
            method,
            features,
            selection: Selection::new(features, ranks),
            complete: false,
        })
    }

    /// What is fitted.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Refuses data after the last pass.
    pub fn check_reads(&self) -> Result<()> {
        if self.complete {
            return not_again();
        }
        Ok(())
    }

    fn absorb(&mut self, x: &[T], features: Features) -> Result<()> {
        self.check_reads()?;
        features.check("x", x.len())?;
        features.expect("x", self.features)?;
        self.selection.count(x, &features);
        Ok(())
    }

    /// Ends a pass. True if the data have to be read again.
    pub fn next(&mut self) -> Result<bool> {
        if self.complete {
            return Ok(false);
        }
        let again = self.selection.next()?;
        check_rows(self.selection.rows())?;
        refuse_infinity(
            self.method.infinities() == Infinities::Refuse,
            self.selection.infinite(),
        )?;
        self.complete = !again;
        Ok(again)
    }

    pub fn finish(&self) -> Result<Scaler> {
        if !self.complete {
            return passes_are_missing();
        }
        let mut selected: Vec<Selected> = self.selection.finish();
        if let Some(logarithm) = self.method.logarithm() {
            let none = |selected: &Selected| selected.count > 0 && !logarithm.takes(selected.value(0));
            logarithm.refuse_feature(selected.iter().position(none))?;
            for (_, value) in selected.iter_mut().flat_map(|selected| &mut selected.values) {
                *value = logarithm.of(*value);
            }
        }
        let fitted = match self.method.core() {
            Method::Robust(robust) => robust.fitted(&selected),
            Method::Quantile(quantile) => quantile.fitted(&selected, self.selection.rows()),
            _ => Fitted::Given,
        };
        Scaler::new(self.method.clone(), self.features, fitted)
    }
}

/// Refuses data after the last pass.
pub(super) fn not_again<O>() -> Result<O> {
    bail!(OnePass, "x", "is not needed again: all passes are done");
}

/// Refuses to end before the last pass.
pub(super) fn passes_are_missing<O>() -> Result<O> {
    bail!(OnePass, "method", "needs all its passes over the data");
}
