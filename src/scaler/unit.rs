use super::element::{Element, Real};
use super::features::{Features, Values};
use super::map::{self, Source};
use super::method::{Method, methods};
use super::parallel::widest;
use super::parameters::{SMALL, Scaler};
use crate::error::Result;

/// What a row is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Norm {
    /// The sum of the magnitudes.
    L1,
    /// The square root of the sum of the squares.
    #[default]
    L2,
    /// The largest magnitude.
    Max,
}

/// Unit norm: every row is divided by its own norm.
///
/// ```text
/// y = x / norm(row)
/// ```
///
/// (scikit-learn's `Normalizer`.) There is nothing to fit, and no inverse. A norm below 10 f64 epsilons counts as 1. A
/// NaN makes its row NaN. What is a row: the elements of all features at one row number.
///
/// ```
/// use wgnorm::scaler::{Features, UnitNorm};
/// let mut x = [3.0f32, 4.0, 0.0, 0.0];
/// UnitNorm::l2().scaler(2)?.transform_in_place(&mut x, Features::columns(2, 2))?;
/// assert_eq!(x, [0.6, 0.8, 0.0, 0.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UnitNorm {
    pub(super) norm: Norm,
}

methods!(UnitNorm);

impl UnitNorm {
    /// By this norm.
    pub fn new(norm: Norm) -> Self {
        Self { norm }
    }

    /// By the sum of the magnitudes.
    pub fn l1() -> Self {
        Self::new(Norm::L1)
    }

    /// By the square root of the sum of the squares.
    pub fn l2() -> Self {
        Self::new(Norm::L2)
    }

    /// By the largest magnitude.
    pub fn max() -> Self {
        Self::new(Norm::Max)
    }

    /// The scaler of rows of so many features.
    ///
    /// # Errors
    /// None, but it has the form of the others.
    pub fn scaler(&self, features: usize) -> Result<Scaler> {
        self.fitter(features)?.finish()
    }
}

impl From<UnitNorm> for Method {
    fn from(method: UnitNorm) -> Self {
        Self::UnitNorm(method)
    }
}

/// Divides every row by its norm.
pub(super) fn divide<T: Element, U: Real>(
    norm: Norm,
    source: &impl Source<T, U>,
    from: &Features,
    y: &mut [U],
    features: &Features,
) {
    map::each_block(source, from, y, features, false, |_, x, y, pitch| {
        widest!(divide_rows(norm, x, y, pitch));
    });
}

#[inline(always)]
fn divide_rows<T: Element, U: Real>(norm: Norm, x: Values<'_, T>, y: &mut [U], pitch: usize) {
    for (row, y) in y.chunks_mut(pitch).enumerate() {
        let x = x.row(row);
        let norm = of_row(norm, x);
        let factor = if norm < SMALL { 1.0 } else { 1.0 / norm };
        for (x, y) in x.iter().zip(y) {
            *y = U::narrow(x.wide() * factor);
        }
    }
}

#[inline(always)]
fn of_row<T: Element>(norm: Norm, x: &[T]) -> f64 {
    match norm {
        Norm::L1 => sum(
            x,
            #[inline(always)]
            |x| x.abs(),
        ),
        Norm::Max => largest(x),
        Norm::L2 => {
            let squares = sum(
                x,
                #[inline(always)]
                |x| x * x,
            );
            // Squares of f32 are within f64; those of f64 may not be.
            if (1e-280..1e300).contains(&squares) {
                return squares.sqrt();
            }
            let largest = largest(x);
            if largest == 0.0 || !largest.is_finite() {
                return largest;
            }
            let shares = sum(
                x,
                #[inline(always)]
                |x| (x / largest) * (x / largest),
            );
            largest * shares.sqrt()
        }
    }
}

/// Elements that are summed side by side.
const LANES: usize = 8;

#[inline(always)]
fn sum<T: Element>(x: &[T], term: impl Fn(f64) -> f64) -> f64 {
    let (vectors, rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for vector in vectors {
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum += term(x.wide());
        }
    }
    let rest: f64 = rest.iter().map(|x| term(x.wide())).sum();
    sums.into_iter().sum::<f64>() + rest
}

/// The largest magnitude; NaN if there is one.
#[inline(always)]
fn largest<T: Element>(x: &[T]) -> f64 {
    x.iter().fold(0.0, |largest, x| {
        let x = x.wide().abs();
        if x > largest || x.is_nan() { x } else { largest }
    })
}
