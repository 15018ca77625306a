//! Parameters as the attributes of scikit-learn's scalers, whose names the arrays of a .npz file have:
//!
//! ```python
//! numpy.savez("scaler.npz", mean_=s.mean_, var_=s.var_, scale_=s.scale_, n_samples_seen_=s.n_samples_seen_)
//! ```

use wgnorm::scaler::{Extremes, Fitted, FixedRange, MaxAbs, Method, MinMax, Moment, Scaler, Standard};

use super::spec::Scale;
use crate::files::{Array, Npz};

/// The attributes that tell a scaler, each of one alone.
const TOLD_BY: [(&str, &str); 4] = [
    ("data_min_", "minmax"),
    ("max_abs_", "maxabs"),
    ("center_", "robust"),
    ("mean_", "zscore"),
];

/// A scaler of scikit-learn, in our terms.
pub struct Imported {
    pub scale: Scale,
    pub scaler: Scaler,
    /// The rows that it has seen; 0 where it does not say.
    pub rows: u64,
}

/// Reads a StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler.
pub fn import(file: &mut Npz<'_>) -> Result<Imported, String> {
    let names = file.names();
    let Some((_, scaler)) = TOLD_BY.iter().find(|(name, _)| names.iter().any(|other| other == name)) else {
        return Err(format!(
            "holds {}; mean_, var_ (StandardScaler), data_min_, data_max_ (MinMaxScaler), max_abs_ (MaxAbsScaler) or \
             center_, scale_ (RobustScaler) are needed",
            names.join(", ")
        ));
    };
    let seen = optional(file, "n_samples_seen_")?.unwrap_or_default();
    let learned = match *scaler {
        "minmax" => {
            let method = match optional(file, "feature_range")?.as_deref() {
                Some(&[low, high]) => MinMax::new().range(low, high),
                _ => MinMax::new(),
            };
            extremes(method.into(), &needed(file, "data_min_")?, &needed(file, "data_max_")?)
        }
        "maxabs" => {
            let most = needed(file, "max_abs_")?;
            let least: Vec<f64> = most.iter().map(|most| -most).collect();
            extremes(MaxAbs::new().into(), &least, &most)
        }
        // The quantiles themselves are not among the attributes: what they make is given.
        "robust" => {
            let (center, scale) = (needed(file, "center_")?, needed(file, "scale_")?);
            FixedRange::new(&center, &scale).and_then(|given| given.scaler(center.len()))
        }
        _ => moments(&needed(file, "mean_")?, &needed(file, "var_")?, &seen),
    };
    Ok(Imported {
        scale: scaler.parse()?,
        scaler: learned.map_err(|error| error.to_string())?,
        rows: seen.iter().fold(0.0, |most: f64, &count| most.max(count)) as u64,
    })
}

fn optional(file: &mut Npz<'_>, name: &str) -> Result<Option<Vec<f64>>, String> {
    Ok(file.get(name)?.map(|array| array.values))
}

fn needed(file: &mut Npz<'_>, name: &str) -> Result<Vec<f64>, String> {
    optional(file, name)?.ok_or_else(|| format!("has no {name}"))
}

fn extremes(method: Method, min: &[f64], max: &[f64]) -> wgnorm::Result<Scaler> {
    let pairs = min.iter().zip(max).map(|(&min, &max)| Extremes { min, max });
    Scaler::new(method, min.len().max(max.len()), Fitted::Extremes(pairs.collect()))
}

/// `seen` is a count of all features, of each, or unknown.
fn moments(mean: &[f64], var: &[f64], seen: &[f64]) -> wgnorm::Result<Scaler> {
    let moment = |(i, (&mean, &var)): (usize, (&f64, &f64))| {
        let count = seen.get(i).or(seen.first()).copied().unwrap_or(1.0);
        Moment {
            count,
            mean,
            m2: var * count,
        }
    };
    let moments = mean.iter().zip(var).enumerate().map(moment).collect();
    Scaler::new(
        Standard::new().into(),
        mean.len().max(var.len()),
        Fitted::Moments(moments),
    )
}

/// The attributes of a fitted scaler.
pub fn export(scale: &Scale, scaler: &Scaler, rows: u64) -> Result<Vec<(&'static str, Array)>, String> {
    if scale.logarithm.is_some() {
        return Err(format!("{scale}: no scaler of scikit-learn takes a logarithm first"));
    }
    let of = |values: Vec<f64>| Array {
        shape: vec![values.len()],
        values,
    };
    let (center, divisor, offset) = (scaler.center(), scaler.scale(), scaler.offset());
    let mut arrays = match (scaler.method(), scaler.fitted()) {
        (Method::Standard(_), Fitted::Moments(all)) => vec![
            ("mean_", of(center.to_vec())),
            ("var_", of(all.iter().map(Moment::variance).collect())),
            ("scale_", of(divisor.to_vec())),
        ],
        (Method::MinMax(method), Fitted::Extremes(all)) => {
            let (low, high) = method.ends();
            let ends = |end: fn((f64, f64)) -> f64| of(all.iter().map(|one| end(one.values())).collect());
            let lines = center.iter().zip(divisor).zip(offset);
            vec![
                ("data_min_", ends(|(min, _)| min)),
                ("data_max_", ends(|(_, max)| max)),
                ("data_range_", ends(|(min, max)| max - min)),
                ("scale_", of(divisor.iter().map(|divisor| divisor.recip()).collect())),
                (
                    "min_",
                    of(lines.map(|((min, divisor), low)| low - min / divisor).collect()),
                ),
                ("feature_range", of(vec![low, high])),
            ]
        }
        (Method::MaxAbs(_), Fitted::Extremes(all)) => vec![
            ("max_abs_", of(all.iter().map(Extremes::magnitude).collect())),
            ("scale_", of(divisor.to_vec())),
        ],
        // Its attributes do not say how many rows there were.
        _ if matches!(scale.method, Method::Robust(_)) => {
            return Ok(vec![("center_", of(center.to_vec())), ("scale_", of(divisor.to_vec()))]);
        }
        _ => {
            return Err(format!(
                "{scale} is not exported: zscore, minmax, maxabs and robust are"
            ));
        }
    };
    let seen = Array {
        shape: Vec::new(),
        values: vec![rows as f64],
    };
    arrays.push(("n_samples_seen_", seen));
    Ok(arrays)
}
