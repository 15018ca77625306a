use super::method::{Infinities, Method, methods};
use super::moments::Moment;

/// A family of powers, by a number λ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Powers {
    /// Of any values: Yeo and Johnson 2000.
    #[default]
    YeoJohnson,
    /// Of values above 0: Box and Cox 1964.
    BoxCox,
}

impl Powers {
    /// What becomes of a value.
    pub(super) fn of(self, x: f64, lambda: f64) -> f64 {
        match self {
            Self::BoxCox => power(x.ln(), lambda),
            Self::YeoJohnson if x < 0.0 => -power((-x).ln_1p(), 2.0 - lambda),
            Self::YeoJohnson => power(x.ln_1p(), lambda),
        }
    }

    /// What has become of z; NaN if nothing does.
    pub(super) fn inverse(self, z: f64, lambda: f64) -> f64 {
        match self {
            Self::BoxCox => logarithm(z, lambda).exp(),
            Self::YeoJohnson if z < 0.0 => -logarithm(-z, 2.0 - lambda).exp_m1(),
            Self::YeoJohnson => logarithm(z, lambda).exp_m1(),
        }
    }

    /// The logarithm of how fast what becomes of a value grows with it, for each unit of λ - 1.
    pub(super) fn slope(self, x: f64) -> f64 {
        match self {
            Self::BoxCox => x.ln(),
            Self::YeoJohnson => x.abs().ln_1p().copysign(x),
        }
    }
}

/// `(v^λ - 1) / λ` of `v = exp(l)`, with all digits near λ = 0, where it is l.
fn power(l: f64, lambda: f64) -> f64 {
    // (An infinite logarithm times 0 is no number.)
    if lambda == 0.0 {
        l
    } else {
        (lambda * l).exp_m1() / lambda
    }
}

/// The l of which that is z.
fn logarithm(z: f64, lambda: f64) -> f64 {
    if lambda == 0.0 {
        z
    } else {
        (lambda * z).ln_1p() / lambda
    }
}

/// A power of a feature, and what is known of what it makes of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// λ; NaN of no value.
    pub lambda: f64,
    /// Of the values after the power, before they are standardized.
    pub moment: Moment,
}

impl Power {
    pub(super) const NONE: Self = Self {
        lambda: f64::NAN,
        moment: Moment {
            count: 0.0,
            mean: 0.0,
            m2: 0.0,
        },
    };
}

/// Power transform: every feature becomes as like a normal distribution as a power makes it.
///
/// ```text
/// Box-Cox          z = (x^λ - 1) / λ,                        ln(x) for λ = 0
/// Yeo-Johnson      z = ((x + 1)^λ - 1) / λ                   x ≥ 0,   ln(x + 1) for λ = 0
///                  z = -((1 - x)^(2 - λ) - 1) / (2 - λ)      x < 0,   -ln(1 - x) for λ = 2
/// y = (z - mean(z)) / sqrt(var(z))
/// ```
///
/// (scikit-learn's `PowerTransformer`.) λ is that of the largest likelihood,
///
/// ```text
/// -n/2 ln(var(z)) + (λ - 1) sum(s(x)),    s(x) = ln(x), or sign(x) ln(abs(x) + 1)
/// ```
///
/// which Brent's method finds from -2 and 2, to some 8 digits. Features that do not vary get λ = 1, which changes nothing
/// but a constant. NaN is ignored by the fit and kept by the transform; values of 0 or below are refused by Box-Cox, by
/// row and feature. An inverse is NaN where no x becomes y.
///
/// Every step of the search is a pass over the data, some 10 to 40 in all: [`fit_chunks`](Self::fit_chunks) reads as
/// often. All is computed in f64; of values that are far from 0 beside their spread, λ says little and its power loses
/// digits, as in scikit-learn: [`Standard`](crate::scaler::Standard) them first.
///
/// ```
/// use wgnorm::scaler::{Features, PowerTransform, Powers};
/// // Logarithms of these are at equal distances: λ is about 0.
/// let x = [1.0f32, 10.0, 100.0, 1e3, 1e4];
/// let scaler = PowerTransform::new().powers(Powers::BoxCox).fit(&x, Features::whole(5))?;
/// let mut y = [0.0f64; 5];
/// scaler.transform(&x, Features::whole(5), &mut y)?;
/// assert!((y[4] - 2f64.sqrt()).abs() < 1e-6);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PowerTransform {
    #[cfg_attr(feature = "serde", serde(rename = "powers"))]
    pub(super) power: Powers,
    pub(super) standardize: bool,
    pub(super) infinities: Infinities,
}

methods!(PowerTransform);

impl PowerTransform {
    /// The most passes that a search takes.
    pub(super) const MOST_PASSES: usize = 64;

    /// Yeo-Johnson, standardized.
    pub fn new() -> Self {
        Self {
            power: Powers::default(),
            standardize: true,
            infinities: Infinities::default(),
        }
    }

    /// Which powers.
    pub fn powers(mut self, powers: Powers) -> Self {
        self.power = powers;
        self
    }

    /// Whether the values get mean 0 and standard deviation 1 after the power.
    pub fn standardize(mut self, standardize: bool) -> Self {
        self.standardize = standardize;
        self
    }

    /// What the fit makes of infinities. (Kept, they leave no likelihood: λ is then one of those tried first.)
    pub fn infinities(mut self, infinities: Infinities) -> Self {
        self.infinities = infinities;
        self
    }

    pub(super) fn takes(&self, x: f64) -> bool {
        match self.power {
            Powers::YeoJohnson => true,
            Powers::BoxCox => x > 0.0 || x.is_nan(),
        }
    }
}

impl Default for PowerTransform {
    fn default() -> Self {
        Self::new()
    }
}

impl From<PowerTransform> for Method {
    fn from(method: PowerTransform) -> Self {
        Self::Power(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_their_formulas_and_are_undone() {
        for lambda in [-2.0, -0.5, 0.0, 1e-3, 0.5, 1.0, 1.7, 2.0, 3.0] {
            for x in [0.001f64, 0.5, 1.0, 2.0, 30.0] {
                let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{lambda} {x} {a} {b}");
                let plain = |v: f64, lambda: f64| {
                    if lambda == 0.0 {
                        v.ln()
                    } else {
                        (v.powf(lambda) - 1.0) / lambda
                    }
                };
                close(Powers::BoxCox.of(x, lambda), plain(x, lambda));
                close(Powers::YeoJohnson.of(x, lambda), plain(x + 1.0, lambda));
                close(Powers::YeoJohnson.of(-x, lambda), -plain(x + 1.0, 2.0 - lambda));
                for (powers, x) in [(Powers::BoxCox, x), (Powers::YeoJohnson, x), (Powers::YeoJohnson, -x)] {
                    close(powers.inverse(powers.of(x, lambda), lambda), x);
                }
                // The slope is the derivative, to the power λ - 1.
                // (Where differences of nearly equal numbers have digits left.)
                for (powers, x) in [(Powers::BoxCox, x), (Powers::YeoJohnson, x), (Powers::YeoJohnson, -x)]
                    .into_iter()
                    .filter(|(_, x)| x.abs() > 0.1)
                {
                    let step = 1e-5 * x.abs();
                    let slope = (powers.of(x + step, lambda) - powers.of(x - step, lambda)) / (2.0 * step);
                    assert!(
                        (slope.ln() - (lambda - 1.0) * powers.slope(x)).abs() < 1e-4,
                        "{lambda} {x}"
                    );
                }
            }
        }
        assert!(Powers::BoxCox.inverse(-3.0, 0.5).is_nan());
    }

    #[test]
    fn tiny_lambdas_are_logarithms() {
        for lambda in [1e-300, -1e-17, 1e-12] {
            assert!((Powers::BoxCox.of(5.0, lambda) - 5f64.ln()).abs() < 1e-10);
            assert!((Powers::BoxCox.inverse(5f64.ln(), lambda) - 5.0).abs() < 1e-10);
        }
        assert_eq!(Powers::YeoJohnson.of(f64::INFINITY, 0.0), f64::INFINITY);
    }
}
