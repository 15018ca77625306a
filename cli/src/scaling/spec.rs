//! Scalers as they are named on the command line and in files: `zscore`, `range:20:70`, `log+robust`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wgnorm::scaler::{
    Distribution, FixedRange, Logarithm, MaxAbs, Method, MinMax, PowerTransform, Powers, QuantileTransform, Robust,
    Standard, UnitNorm,
};

use crate::suggest::did_you_mean;

/// The names, with what they do.
pub const SCALERS: &str = "\
  zscore     (x - mean) / standard deviation
  minmax     (x - min) / (max - min): 0 to 1
  maxabs     x / max abs(x): -1 to 1, zero stays
  robust     (x - median) / (75% quantile - 25% quantile): outliers do not count
  range:a:b  (x - a) / (b - a): limits that are known, nothing is learned
  quantile   to a uniform distribution, 0 to 1, by 1000 quantiles; quantile:normal to a normal one
  power      to what a power makes most normal (Yeo-Johnson), then zscore; power:box-cox of values above 0
  l1 l2 max  each row divided by its norm over the columns: sum of magnitudes, root of the sum of squares, largest
  log+NAME, log1p+NAME, symlog+NAME: of ln(x), ln(1 + x), sign(x) ln(1 + abs(x))";

const NAMES: [&str; 10] = [
    "zscore", "minmax", "maxabs", "robust", "range", "quantile", "power", "l1", "l2", "max",
];
/// The names that something may follow.
const WITH_ARGUMENTS: [&str; 3] = ["range", "quantile", "power"];
/// What may come before a scaler.
const LOGARITHMS: [Logarithm; 3] = [Logarithm::Log, Logarithm::Log1p, Logarithm::Symlog];

/// A scaler with what goes before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scale {
    text: String,
    /// What the values are replaced by before they are scaled.
    pub logarithm: Option<Logarithm>,
    pub method: Method,
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (logarithm, name) = match text.split_once('+') {
            None => (None, text),
            Some((prefix, name)) => match LOGARITHMS.iter().find(|known| known.name() == prefix) {
                Some(known) => (Some(*known), name),
                None => {
                    let meant = did_you_mean(prefix, LOGARITHMS.map(Logarithm::name));
                    return Err(format!("there is no {prefix:?} to put before a scaler{meant}"));
                }
            },
        };
        Ok(Self {
            text: text.to_owned(),
            logarithm,
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

    /// Whether what is scaled is a line: that of the library's center, scale and offset.
    pub fn is_of_lines(&self) -> bool {
        !matches!(
            self.method,
            Method::UnitNorm(_) | Method::Quantile(_) | Method::Power(_)
        )
    }

    /// The first value that has no logarithm, or no power, and why.
    pub fn refusal(&self, values: &[f64]) -> Option<(usize, String)> {
        let takes_all = matches!(self.logarithm, None | Some(Logarithm::Symlog)) && self.method.takes(-1.0);
        if takes_all {
            return None;
        }
        let takes = |x: f64| match self.logarithm {
            None => self.method.takes(x),
            Some(logarithm) => logarithm.takes(x) && self.method.takes(logarithm.of(x)),
        };
        let row = values.iter().position(|&x| !takes(x))?;
        let x = values[row];
        let what = match self.logarithm {
            Some(logarithm) if !logarithm.takes(x) => match logarithm {
                Logarithm::Log1p => format!("{x} is not above -1, ln(1 + x) does not exist; symlog+ takes all"),
                _ => format!("{x} has no logarithm; log1p+ takes values from 0 on, symlog+ all"),
            },
            _ => format!("{x} has no Box-Cox power; power takes all values"),
        };
        Some((row, what))
    }
}

fn method(text: &str) -> Result<Method, String> {
    let (name, arguments) = text
        .split_once(':')
        .map_or((text, None), |(name, rest)| (name, Some(rest)));
    if let (Some(arguments), true) = (arguments, NAMES.contains(&name) && !WITH_ARGUMENTS.contains(&name)) {
        return Err(format!("{name} takes no numbers, it is followed by {arguments:?}"));
    }
    let choice = |choices: [&str; 2]| {
        Err(format!(
            "{name}:{}: {name}:{} or {name}:{} is needed",
            arguments.unwrap_or_default(),
            choices[0],
            choices[1]
        ))
    };
    Ok(match name {
        "zscore" => Standard::new().into(),
        "minmax" => MinMax::new().into(),
        "maxabs" => MaxAbs::new().into(),
        "robust" => Robust::new().into(),
        "l1" => UnitNorm::l1().into(),
        "l2" => UnitNorm::l2().into(),
        "max" => UnitNorm::max().into(),
        "range" => range(arguments.unwrap_or_default())?.into(),
        "quantile" => match arguments {
            None | Some("uniform") => QuantileTransform::new().into(),
            Some("normal") => QuantileTransform::new().to(Distribution::Normal).into(),
            Some(_) => return choice(["uniform", "normal"]),
        },
        "power" => match arguments {
            None | Some("yeo-johnson") => PowerTransform::new().into(),
            Some("box-cox") => PowerTransform::new().powers(Powers::BoxCox).into(),
            Some(_) => return choice(["yeo-johnson", "box-cox"]),
        },
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
        assert_eq!(scale.logarithm, Some(Logarithm::Log1p));
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
            "quantile",
            "quantile:normal",
            "power",
            "log+power:box-cox",
        ] {
            let scale: Scale = name.parse().unwrap();
            assert_eq!(scale.to_string(), name);
        }
    }

    #[test]
    fn others_are_refused_with_what_was_meant() {
        let refusal = |name: &str| name.parse::<Scale>().unwrap_err();
        assert!(refusal("robsut").contains("did you mean \"robust\""));
        assert!(refusal("quantile:gauss").contains("quantile:normal"));
        assert!(refusal("power:2").contains("power:box-cox"));
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
    fn values_of_no_logarithm_or_power_are_told() {
        let refusal = |name: &str, x: f64| {
            let found = name.parse::<Scale>().unwrap().refusal(&[2.0, x]);
            found.map(|(row, what)| {
                assert_eq!(row, 1);
                what
            })
        };
        assert!(refusal("log+zscore", 0.0).unwrap().contains("has no logarithm"));
        assert!(refusal("log1p+zscore", -1.0).unwrap().contains("is not above -1"));
        assert!(refusal("power:box-cox", 0.0).unwrap().contains("Box-Cox"));
        assert!(refusal("log+power:box-cox", 1.0).is_some() && refusal("log+power:box-cox", 2.0).is_none());
        for name in ["log1p+zscore", "symlog+zscore", "power", "quantile", "zscore"] {
            assert!(refusal(name, 0.0).is_none() && refusal(name, f64::NAN).is_none());
        }
    }
}
