//! Scalers as they are named on the command line and in files: `zscore`, `range:20:70`, `log+robust`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wgnorm::scaler::{FixedRange, MaxAbs, Method, MinMax, Robust, Standard, UnitNorm};

use crate::suggest::did_you_mean;

/// The names, with what they do.
pub const SCALERS: &str = "\
  zscore     (x - mean) / standard deviation
  minmax     (x - min) / (max - min): 0 to 1
  maxabs     x / max abs(x): -1 to 1, zero stays
  robust     (x - median) / (75% quantile - 25% quantile): outliers do not count
  range:a:b  (x - a) / (b - a): limits that are known, nothing is learned
  l1 l2 max  each row divided by its norm over the columns: sum of magnitudes, root of the sum of squares, largest
  log+NAME, log1p+NAME, symlog+NAME: of ln(x), ln(1 + x), sign(x) ln(1 + abs(x))";

const NAMES: [&str; 8] = ["zscore", "minmax", "maxabs", "robust", "range", "l1", "l2", "max"];

/// What the values are replaced by before they are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    None,
    /// ln(x)
    Log,
    /// ln(1 + x)
    Log1p,
    /// sign(x) ln(1 + abs(x))
    Symlog,
}

impl Curve {
    /// The prefixes that name curves.
    const ALL: [(&'static str, Self); 3] = [("log", Self::Log), ("log1p", Self::Log1p), ("symlog", Self::Symlog)];

    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::None => x,
            Self::Log => x.ln(),
            Self::Log1p => x.ln_1p(),
            Self::Symlog => x.abs().ln_1p().copysign(x),
        }
    }

    pub fn inverse(self, y: f64) -> f64 {
        match self {
            Self::None => y,
            Self::Log => y.exp(),
            Self::Log1p => y.exp_m1(),
            Self::Symlog => y.abs().exp_m1().copysign(y),
        }
    }

    /// How much the inverse at y grows there.
    pub fn slope_of_inverse(self, y: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Log | Self::Log1p => y.exp(),
            Self::Symlog => y.abs().exp(),
        }
    }

    /// What is wrong with a value that has no logarithm.
    pub fn refusal(self, x: f64) -> Option<String> {
        match self {
            Self::Log if x <= 0.0 => Some(format!(
                "{x} has no logarithm; log1p+ takes values from 0 on, symlog+ all"
            )),
            Self::Log1p if x <= -1.0 => Some(format!(
                "{x} is not above -1, ln(1 + x) does not exist; symlog+ takes all"
            )),
            _ => None,
        }
    }
}

/// A scaler with what goes before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scale {
    text: String,
    pub curve: Curve,
    pub method: Method,
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (curve, name) = match text.split_once('+') {
            None => (Curve::None, text),
            Some((prefix, name)) => match Curve::ALL.iter().find(|known| known.0 == prefix) {
                Some(known) => (known.1, name),
                None => {
                    let meant = did_you_mean(prefix, Curve::ALL.map(|known| known.0));
                    return Err(format!("there is no {prefix:?} to put before a scaler{meant}"));
                }
            },
        };
        Ok(Self {
            text: text.to_owned(),
            curve,
            method: method(name)?,
        })
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Scale {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scale> for String {
    fn from(scale: Scale) -> Self {
        scale.text
    }
}

impl Scale {
    /// Whether a row is scaled by all its columns together.
    pub fn is_of_rows(&self) -> bool {
        matches!(self.method, Method::UnitNorm(_))
    }
}

fn method(text: &str) -> Result<Method, String> {
    let (name, arguments) = text
        .split_once(':')
        .map_or((text, None), |(name, rest)| (name, Some(rest)));
    if let (Some(arguments), true) = (arguments, NAMES.contains(&name) && name != "range") {
        return Err(format!("{name} takes no numbers, it is followed by {arguments:?}"));
    }
    Ok(match name {
        "zscore" => Standard::new().into(),
        "minmax" => MinMax::new().into(),
        "maxabs" => MaxAbs::new().into(),
        "robust" => Robust::new().into(),
        "l1" => UnitNorm::l1().into(),
        "l2" => UnitNorm::l2().into(),
        "max" => UnitNorm::max().into(),
        "range" => range(arguments.unwrap_or_default())?.into(),
        "quantile" | "power" => return Err(format!("there is no scaler {name:?} yet; {}", listing())),
        _ => {
            return Err(format!(
                "there is no scaler {name:?}{}; {}",
                did_you_mean(name, NAMES),
                listing()
            ));
        }
    })
}

fn listing() -> String {
    format!("they are {}", NAMES.join(", ").replace("range", "range:a:b"))
}

fn range(arguments: &str) -> Result<FixedRange, String> {
    let ends: Option<Vec<f64>> = arguments.split(':').map(|end| end.trim().parse().ok()).collect();
    match ends.as_deref() {
        Some(&[from, to]) => FixedRange::intervals(&[(from, to)]).map_err(|error| error.to_string()),
        _ => Err(format!("range:{arguments}: two numbers are needed, as in range:20:70")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood() {
        let scale: Scale = "log1p+range:-1:2.5".parse().unwrap();
        assert_eq!(scale.curve, Curve::Log1p);
        assert_eq!(scale.method, FixedRange::uniform(-1.0, 3.5).unwrap().into());
        for name in [
            "zscore",
            "minmax",
            "maxabs",
            "robust",
            "l1",
            "l2",
            "max",
            "symlog+zscore",
        ] {
            let scale: Scale = name.parse().unwrap();
            assert_eq!(scale.to_string(), name);
        }
    }

    #[test]
    fn others_are_refused_with_what_was_meant() {
        let refusal = |name: &str| name.parse::<Scale>().unwrap_err();
        assert!(refusal("robsut").contains("did you mean \"robust\""));
        assert!(refusal("quantile").contains("yet"));
        assert!(refusal("log2+zscore").contains("did you mean \"log\""));
        for name in [
            "",
            "range",
            "range:1",
            "range:1:1",
            "range:1:2:3",
            "range:1:x",
            "zscore:1",
            "log",
            "log+",
        ] {
            assert!(name.parse::<Scale>().is_err(), "{name}");
        }
    }

    #[test]
    fn curves_are_undone() {
        for curve in [Curve::None, Curve::Log, Curve::Log1p, Curve::Symlog] {
            for x in [0.001, 1.0, 20.0, 1e6] {
                let back = curve.inverse(curve.of(x));
                assert!(
                    (back - x).abs() <= 1e-14 * x * (1.0 + x.ln().abs()),
                    "{curve:?} {x} {back}"
                );
            }
        }
        assert_eq!(Curve::Symlog.of(-3.0), -Curve::Symlog.of(3.0));
        assert!(Curve::Log.refusal(0.0).is_some() && Curve::Log1p.refusal(0.0).is_none());
    }
}
