use std::marker::PhantomData;

use super::element::Element;
use super::features::{Block, Features, Values};
use super::map::{self, Other, Source};
use super::method::{Method, methods};
use super::parallel;
use crate::error::{Result, bail};

/// A logarithm that values are replaced by before they are scaled: for incomes, counts, sizes, which spread over powers of
/// ten.
///
/// | | x becomes | of | back |
/// |---|---|---|---|
/// | `Log` | `ln(x)` | x > 0 | `exp(y)` |
/// | `Log1p` | `ln(1 + x)` | x > -1 | `exp(y) - 1` |
/// | `Symlog` | `sign(x) ln(1 + abs(x))` | any x | `sign(y) (exp(abs(y)) - 1)` |
///
/// (numpy's `log`, `log1p`.) Logarithms are natural and computed in f64. NaN stays. A value that has none is an error of
/// kind [`Data`](crate::ErrorKind::Data) that names its row and feature.
///
/// ```
/// use wgnorm::scaler::{Features, Logarithm, Standard};
/// let incomes = [1e3f32, 1e4, 1e5];
/// let features = Features::whole(3);
/// let scaler = Logarithm::Log.then(Standard::new()).fit(&incomes, features)?;
/// assert!((scaler.center()[0] - 1e4f64.ln()).abs() < 1e-12);
/// let mut y = [0.0f64; 3];
/// scaler.transform(&incomes, features, &mut y)?;
/// assert!((y[2] - 1.5f64.sqrt()).abs() < 1e-12 && y[1].abs() < 1e-12);
/// assert!(scaler.transform(&[1.0f32, 0.0, 2.0], features, &mut y).unwrap_err().to_string().contains("row 1"));
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Logarithm {
    /// ln(x)
    Log,
    /// ln(1 + x)
    Log1p,
    /// sign(x) ln(1 + abs(x))
    Symlog,
}

impl Logarithm {
    /// This logarithm, then a scaler.
    pub fn then(self, method: impl Into<Method>) -> LogFirst {
        LogFirst {
            logarithm: self,
            then: Box::new(method.into()),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Log1p => "log1p",
            Self::Symlog => "symlog",
        }
    }

    /// Whether a value has one; a NaN is its own.
    pub fn takes(self, x: f64) -> bool {
        match self {
            Self::Log => x > 0.0 || x.is_nan(),
            Self::Log1p => x > -1.0 || x.is_nan(),
            Self::Symlog => true,
        }
    }

    /// The logarithm of a value.
    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::Log => x.ln(),
            Self::Log1p => x.ln_1p(),
            Self::Symlog => x.abs().ln_1p().copysign(x),
        }
    }

    /// What has this logarithm.
    pub fn inverse(self, y: f64) -> f64 {
        match self {
            Self::Log => y.exp(),
            Self::Log1p => y.exp_m1(),
            Self::Symlog => y.abs().exp_m1().copysign(y),
        }
    }

    /// How fast the inverse grows at y: what an error of y is multiplied by.
    pub fn slope_of_inverse(self, y: f64) -> f64 {
        match self {
            Self::Log | Self::Log1p => y.exp(),
            Self::Symlog => y.abs().exp(),
        }
    }

    /// What it is of, for messages.
    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::Log => "ln(x) is of values above 0; log1p takes those above -1, symlog all",
            Self::Log1p => "ln(1 + x) is of values above -1; symlog takes all",
            Self::Symlog => "all values have one",
        }
    }

    /// Refuses a feature that has values without a logarithm, if there is one.
    pub(super) fn refuse_feature(self, feature: Option<usize>) -> Result<()> {
        match feature {
            None => Ok(()),
            Some(feature) => bail!(
                Data,
                "x",
                "has values without one in feature {feature}: {}",
                self.domain()
            ),
        }
    }

    /// The logarithms of all elements, as a table of its own.
    pub(super) fn table<T: Element>(self, x: &[T], features: &Features) -> Result<(Vec<f64>, Features)> {
        if self != Self::Symlog {
            check_domain(x, features, self.domain(), |x| self.takes(x))?;
        }
        let dense = Features::columns(features.rows(), features.count());
        let mut logarithms = vec![0.0; dense.elements()];
        let source = Other { x, features };
        map::each(&source, features, &mut logarithms, &dense, |_, _, x| self.of(x));
        Ok((logarithms, dense))
    }
}

/// Refuses elements that a function does not take: names the first row that has one.
pub(super) fn check_domain<T: Element>(
    x: &[T],
    features: &Features,
    why: &str,
    takes: impl Fn(f64) -> bool + Sync + Send,
) -> Result<()> {
    let found = parallel::map(&features.blocks(), |block| {
        let mut buffer = Vec::new();
        let values = block.values(features, x, &mut buffer);
        (0..values.rows).find_map(|i| {
            let place = values.row(i).iter().position(|x| !takes(x.wide()))?;
            Some((block.rows.start + i, block.features.start + place))
        })
    });
    match found.into_iter().flatten().min() {
        None => Ok(()),
        Some((row, feature)) => bail!(
            Data,
            "x",
            "has {} in row {row} of feature {feature}: {why}",
            x[features.offset(row, feature)].wide()
        ),
    }
}

/// A logarithm first, then any other scaler of the logarithms: made by [`Logarithm::then`].
///
/// ```text
/// y = scaler(log(x))
/// ```
///
/// What is learned, and the [`center`](crate::scaler::Scaler::center) and [`scale`](crate::scaler::Scaler::scale), are
/// those of the logarithms. On the CPU they are computed in f64, so that order statistics take the passes of f64; a fit
/// holds the logarithms of one part at a time, 8 bytes an element. On the device min-max, max-abs, z-score, robust scaling
/// and fixed ranges have a logarithm first; z-score sums logarithms of f32 there, all others learn in f64 as on the CPU.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogFirst {
    pub(super) logarithm: Logarithm,
    pub(super) then: Box<Method>,
}

methods!(LogFirst);

impl LogFirst {
    /// The logarithm.
    pub fn logarithm(&self) -> Logarithm {
        self.logarithm
    }

    /// What scales the logarithms.
    pub fn method(&self) -> &Method {
        &self.then
    }

    pub(super) fn check(&self, features: usize) -> Result<()> {
        if let Method::LogFirst(_) = *self.then {
            bail!(Parameter, "method", "has two logarithms, one is taken");
        }
        self.then.check(features)
    }
}

impl From<LogFirst> for Method {
    fn from(method: LogFirst) -> Self {
        Self::LogFirst(method)
    }
}

/// The logarithms of another source.
pub(super) struct Logarithms<'a, S, T> {
    source: &'a S,
    logarithm: Logarithm,
    elements: PhantomData<fn() -> T>,
}

impl<'a, S, T> Logarithms<'a, S, T> {
    pub fn new(source: &'a S, logarithm: Logarithm) -> Self {
        Self {
            source,
            logarithm,
            elements: PhantomData,
        }
    }
}

impl<T: Element, U, S: Source<T, U>> Source<f64, U> for Logarithms<'_, S, T> {
    fn values<'a>(&'a self, block: &Block, y: &[U], pitch: usize, buffer: &'a mut Vec<f64>) -> Values<'a, f64> {
        let mut raw = Vec::new();
        let values = self.source.values(block, y, pitch, &mut raw);
        buffer.clear();
        for row in 0..values.rows {
            buffer.extend(values.row(row).iter().map(|x| self.logarithm.of(x.wide())));
        }
        Values {
            data: buffer,
            width: values.width,
            rows: values.rows,
            pitch: values.width,
        }
    }
}
