//! Parameters as they are saved.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::extremes::Extremes;
use super::method::Method;
use super::moments::Moment;
use super::parameters::{Fitted, Quantiles, Scaler};
use crate::error::{Error, Result, bail};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    version: u32,
    method: Method,
    features: usize,
    fitted: StoredFitted,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredFitted {
    Extremes {
        min: Vec<Number>,
        max: Vec<Number>,
    },
    Moments {
        count: Vec<Number>,
        mean: Vec<Number>,
        m2: Vec<Number>,
    },
    Quantiles {
        count: Vec<u64>,
        lower: Vec<Number>,
        median: Vec<Number>,
        upper: Vec<Number>,
    },
    Given,
}

impl From<Scaler> for Stored {
    fn from(scaler: Scaler) -> Self {
        let fitted = match &scaler.fitted {
            Fitted::Extremes(all) => StoredFitted::Extremes {
                min: all.iter().map(|one| Number(one.min)).collect(),
                max: all.iter().map(|one| Number(one.max)).collect(),
            },
            Fitted::Moments(all) => StoredFitted::Moments {
                count: all.iter().map(|one| Number(one.count)).collect(),
                mean: all.iter().map(|one| Number(one.mean)).collect(),
                m2: all.iter().map(|one| Number(one.m2)).collect(),
            },
            Fitted::Quantiles(all) => StoredFitted::Quantiles {
                count: all.iter().map(|one| one.count).collect(),
                lower: all.iter().map(|one| Number(one.lower)).collect(),
                median: all.iter().map(|one| Number(one.median)).collect(),
                upper: all.iter().map(|one| Number(one.upper)).collect(),
            },
            Fitted::Given => StoredFitted::Given,
        };
        Self {
            version: Scaler::VERSION,
            features: scaler.features,
            method: scaler.method,
            fitted,
        }
    }
}

impl TryFrom<Stored> for Scaler {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let (version, known) = (stored.version, Self::VERSION);
        if version != known {
            bail!(
                Version,
                "version",
                "of the parameters is {version}, this crate reads {known}"
            );
        }
        let fitted = match stored.fitted {
            StoredFitted::Extremes { min, max } => {
                alike(&[min.len(), max.len()])?;
                let pairs = min.into_iter().zip(max);
                Fitted::Extremes(pairs.map(|(min, max)| Extremes { min: min.0, max: max.0 }).collect())
            }
            StoredFitted::Moments { count, mean, m2 } => {
                alike(&[count.len(), mean.len(), m2.len()])?;
                let moment = |((count, mean), m2): ((Number, Number), Number)| Moment {
                    count: count.0,
                    mean: mean.0,
                    m2: m2.0,
                };
                Fitted::Moments(count.into_iter().zip(mean).zip(m2).map(moment).collect())
            }
            StoredFitted::Quantiles {
                count,
                lower,
                median,
                upper,
            } => {
                alike(&[count.len(), lower.len(), median.len(), upper.len()])?;
                let quantiles = |i: usize| Quantiles {
                    count: count[i],
                    lower: lower[i].0,
                    median: median[i].0,
                    upper: upper[i].0,
                };
                Fitted::Quantiles((0..count.len()).map(quantiles).collect())
            }
            StoredFitted::Given => Fitted::Given,
        };
        Self::new(stored.method, stored.features, fitted)
    }
}

fn alike(lengths: &[usize]) -> Result<()> {
    if lengths.iter().any(|length| length != &lengths[0]) {
        bail!(Shape, "parameters", "have different lengths: {lengths:?}");
    }
    Ok(())
}

/// A number; in formats for people, as a string where it is not finite, since JSON has no other way.
#[derive(Clone, Copy)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_finite() || !serializer.is_human_readable() {
            true => serializer.serialize_f64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(NumberVisitor),
            false => deserializer.deserialize_f64(NumberVisitor),
        }
    }
}

struct NumberVisitor;

impl de::Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or one of the strings NaN, inf, -inf")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
        match value {
            "NaN" => Ok(Number(f64::NAN)),
            "inf" => Ok(Number(f64::INFINITY)),
            "-inf" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }
}
