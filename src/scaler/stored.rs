//! Parameters as they are saved.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::extremes::Extremes;
use super::grouped::GroupedScaler;
use super::method::Method;
use super::moments::Moment;
use super::parameters::{Fitted, Quantiles, Scaler};
use super::power::Power;
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
    References {
        values: Vec<Vec<Number>>,
    },
    Powers {
        lambda: Vec<Number>,
        count: Vec<Number>,
        mean: Vec<Number>,
        m2: Vec<Number>,
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
            Fitted::References(all) => StoredFitted::References {
                values: all
                    .iter()
                    .map(|one| one.iter().copied().map(Number).collect())
                    .collect(),
            },
            Fitted::Powers(all) => StoredFitted::Powers {
                lambda: all.iter().map(|one| Number(one.lambda)).collect(),
                count: all.iter().map(|one| Number(one.moment.count)).collect(),
                mean: all.iter().map(|one| Number(one.moment.mean)).collect(),
                m2: all.iter().map(|one| Number(one.moment.m2)).collect(),
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
        check_version(stored.version)?;
        let fitted = match stored.fitted {
            StoredFitted::Extremes { min, max } => {
                alike(&[min.len(), max.len()])?;
                let pairs = min.into_iter().zip(max);
                Fitted::Extremes(pairs.map(|(min, max)| Extremes { min: min.0, max: max.0 }).collect())
            }
            StoredFitted::Moments { count, mean, m2 } => Fitted::Moments(moments(count, mean, m2)?),
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
            StoredFitted::References { values } => {
                let table = |table: Vec<Number>| table.into_iter().map(|value| value.0).collect();
                Fitted::References(values.into_iter().map(table).collect())
            }
            StoredFitted::Powers {
                lambda,
                count,
                mean,
                m2,
            } => {
                alike(&[lambda.len(), count.len()])?;
                let powers = lambda.into_iter().zip(moments(count, mean, m2)?);
                let power = |(lambda, moment): (Number, Moment)| Power {
                    lambda: lambda.0,
                    moment,
                };
                Fitted::Powers(powers.map(power).collect())
            }
            StoredFitted::Given => Fitted::Given,
        };
        Self::new(stored.method, stored.features, fitted)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredGroups {
    version: u32,
    keys: Vec<u32>,
    scalers: Vec<Scaler>,
    others: Option<Scaler>,
}

impl From<GroupedScaler> for StoredGroups {
    fn from(grouped: GroupedScaler) -> Self {
        Self {
            version: Scaler::VERSION,
            keys: grouped.keys,
            scalers: grouped.scalers,
            others: grouped.others,
        }
    }
}

impl TryFrom<StoredGroups> for GroupedScaler {
    type Error = Error;

    fn try_from(stored: StoredGroups) -> Result<Self> {
        check_version(stored.version)?;
        alike(&[stored.keys.len(), stored.scalers.len()])?;
        let grouped = Self::new(stored.keys.into_iter().zip(stored.scalers))?;
        match stored.others {
            Some(others) => grouped.with_others(others),
            None => Ok(grouped),
        }
    }
}

fn check_version(version: u32) -> Result<()> {
    let known = Scaler::VERSION;
    if version != known {
        bail!(
            Version,
            "version",
            "of the parameters is {version}, this crate reads {known}"
        );
    }
    Ok(())
}

fn moments(count: Vec<Number>, mean: Vec<Number>, m2: Vec<Number>) -> Result<Vec<Moment>> {
    alike(&[count.len(), mean.len(), m2.len()])?;
    let moment = |((count, mean), m2): ((Number, Number), Number)| Moment {
        count: count.0,
        mean: mean.0,
        m2: m2.0,
    };
    Ok(count.into_iter().zip(mean).zip(m2).map(moment).collect())
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
