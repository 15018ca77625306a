//! Parameters as the attributes of scikit-learn's scalers, whose names the arrays of a .npz file have:
//!
//! ```python
//! numpy.savez("scaler.npz", mean_=s.mean_, var_=s.var_, scale_=s.scale_, n_samples_seen_=s.n_samples_seen_)
//! ```

use wgnorm::scaler::{Extremes, Fitted, FixedRange, MaxAbs, Method, MinMax, Moment, Power, Scaler, Standard};

use super::spec::Scale;
use crate::files::{Array, Npz};

/// The attributes that tell a scaler, each of one alone.
const TOLD_BY: [(&str, &str); 6] = [
    ("quantiles_", "quantile"),
    ("lambdas_", "power"),
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

/// Reads a StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, QuantileTransformer or PowerTransformer. `scale` says
/// what the arrays do not: to which distribution, or by which powers.
pub fn import(file: &mut Npz<'_>, scale: Option<&Scale>) -> Result<Imported, String> {
    let names = file.names();
    let Some((_, scaler)) = TOLD_BY.iter().find(|(name, _)| names.iter().any(|other| other == name)) else {
        return Err(format!(
            "holds {}; mean_, var_ (StandardScaler), data_min_, data_max_ (MinMaxScaler), max_abs_ (MaxAbsScaler), \
             center_, scale_ (RobustScaler), quantiles_ (QuantileTransformer) or lambdas_ (PowerTransformer) are needed",
            names.join(", ")
        ));
    };
    let scale = match scale {
        None => scaler.parse()?,
        Some(scale) if scale.method.name() == scaler.parse::<Scale>()?.method.name() && scale.logarithm.is_none() => {
            scale.clone()
        }
        Some(scale) => return Err(format!("holds what {scaler} has learned, not {scale}")),
    };
    let seen = optional(file, "n_samples_seen_")?.unwrap_or_default();
    let learned = match *scaler {
        "quantile" => references(&scale.method, file)?,
        "power" => powers(&scale.method, file, &seen)?,
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
        scale,
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
fn each_moment(mean: &[f64], var: &[f64], seen: &[f64]) -> Vec<Moment> {
    let moment = |(i, (&mean, &var)): (usize, (&f64, &f64))| {
        let count = seen.get(i).or(seen.first()).copied().unwrap_or(1.0);
        Moment {
            count,
            mean,
            m2: var * count,
        }
    };
    mean.iter().zip(var).enumerate().map(moment).collect()
}

fn moments(mean: &[f64], var: &[f64], seen: &[f64]) -> wgnorm::Result<Scaler> {
    let moments = Fitted::Moments(each_moment(mean, var, seen));
    Scaler::new(Standard::new().into(), mean.len().max(var.len()), moments)
}

/// The quantiles of all features, row by row.
fn references(method: &Method, file: &mut Npz<'_>) -> Result<wgnorm::Result<Scaler>, String> {
    let array = file.get("quantiles_")?;
    let Some((quantiles, &[rows, features])) = array
        .as_ref()
        .map(|array| (&array.values, &array.shape[..]))
        .and_then(|(values, shape)| Some((values, <&[usize; 2]>::try_from(shape).ok()?)))
    else {
        return Err("quantiles_ is not two-dimensional: quantiles by features".into());
    };
    let Method::Quantile(method) = method else {
        return Err("is no quantile transform".into());
    };
    let of_feature = |feature| quantiles.iter().skip(feature).step_by(features).copied().collect();
    let tables = Fitted::References((0..features).map(of_feature).collect());
    Ok(Scaler::new(method.clone().references(rows).into(), features, tables))
}

/// Powers, and mean and variance after them if they are standardized.
fn powers(method: &Method, file: &mut Npz<'_>, seen: &[f64]) -> Result<wgnorm::Result<Scaler>, String> {
    let Method::Power(method) = method else {
        return Err("is no power transform".into());
    };
    let lambdas = needed(file, "lambdas_")?;
    let standardize = optional(file, "mean_")?.is_some();
    let moments = match standardize {
        true => each_moment(&needed(file, "mean_")?, &needed(file, "var_")?, seen),
        false => vec![Moment::default(); lambdas.len()],
    };
    let power = |(&lambda, &moment): (&f64, &Moment)| Power { lambda, moment };
    let fitted = Fitted::Powers(lambdas.iter().zip(&moments).map(power).collect());
    Ok(Scaler::new(
        method.clone().standardize(standardize).into(),
        lambdas.len(),
        fitted,
    ))
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
        (Method::Quantile(_), Fitted::References(tables)) => {
            let rows = tables.first().map_or(0, Vec::len);
            let by_quantile = (0..rows).flat_map(|row| tables.iter().map(move |table| table[row]));
            let share = |row: usize| if rows > 1 { row as f64 / (rows - 1) as f64 } else { 0.0 };
            let quantiles = Array {
                shape: vec![rows, tables.len()],
                values: by_quantile.collect(),
            };
            return Ok(vec![
                ("quantiles_", quantiles),
                ("references_", of((0..rows).map(share).collect())),
            ]);
        }
        (Method::Power(_), Fitted::Powers(all)) => vec![
            ("lambdas_", of(all.iter().map(|power| power.lambda).collect())),
            ("mean_", of(center.to_vec())),
            ("var_", of(all.iter().map(|power| power.moment.variance()).collect())),
            ("scale_", of(divisor.to_vec())),
        ],
        // Its attributes do not say how many rows there were.
        _ if matches!(scale.method, Method::Robust(_)) => {
            return Ok(vec![("center_", of(center.to_vec())), ("scale_", of(divisor.to_vec()))]);
        }
        _ => {
            return Err(format!(
                "{scale} is not exported: zscore, minmax, maxabs, robust, quantile and power are"
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
