//! Golden cases of scikit-learn's scalers.

use std::collections::HashMap;
use std::ops::Range;

use wgnorm::scaler::{
    Element, Features, Fitted, MaxAbs, Method, MinMax, Real, Robust, Scaler, Split, Standard, TransformPlan, UnitNorm,
    Visit,
};
use wgnorm::verify::{Tolerance, compare, transfer};
use wgnorm::{Context, View};

use crate::device::Device;
use crate::failure::Result;
use crate::manifest::{Golden, Tensors};
use crate::report::CaseReport;

/// A case of a scaler.
pub struct Scaling<'a> {
    golden: &'a Golden,
    tensors: &'a Tensors,
    method: Method,
    x: Vec<f32>,
    rows: usize,
    columns: usize,
    /// The rows to fit, in blocks.
    fitted: Vec<Range<usize>>,
    weights: Option<&'a [f64]>,
}

impl<'a> Scaling<'a> {
    /// The case; `None` if it is no scaler's.
    pub fn new(golden: &'a Golden, tensors: &'a Tensors) -> Result<Option<Self>> {
        let flag = |name: &str| {
            let flag = golden.attribute(name)?.as_bool();
            flag.ok_or_else(|| golden.malformed(format!("{name} is not a boolean")))
        };
        let pair = |name: &str| {
            let numbers: Option<Vec<f64>> = (golden.attribute(name)?.as_array())
                .and_then(|list| list.iter().map(serde_json::Value::as_f64).collect());
            match numbers.as_deref() {
                Some(&[low, high]) => Ok((low, high)),
                _ => Err(golden.malformed(format!("{name} is not a pair of numbers"))),
            }
        };
        let method: Method = match golden.op.as_str() {
            "minmax_scaler" => {
                let (low, high) = pair("feature_range")?;
                MinMax::new().range(low, high).clip(flag("clip")?).into()
            }
            "maxabs_scaler" => MaxAbs::new().clip(flag("clip")?).into(),
            "standard_scaler" => {
                if golden.number("ddof")? != 0.0 {
                    return Err(golden.malformed("ddof is not 0"));
                }
                let standard = Standard::new().with_mean(flag("with_mean")?);
                standard.with_deviation(flag("with_std")?).into()
            }
            "robust_scaler" => {
                let (lower, upper) = pair("quantile_range")?;
                let robust = Robust::new()
                    .quantile_range(lower, upper)
                    .centering(flag("with_centering")?);
                robust
                    .scaling(flag("with_scaling")?)
                    .unit_variance(flag("unit_variance")?)
                    .into()
            }
            "normalizer" => match golden.text("norm")? {
                "l1" => UnitNorm::l1().into(),
                "l2" => UnitNorm::l2().into(),
                "max" => UnitNorm::max().into(),
                other => return Err(golden.malformed(format!("norm is {other:?}"))),
            },
            _ => return Ok(None),
        };
        let &[rows, columns] = golden.shape("x")? else {
            return Err(golden.malformed("x is no matrix"));
        };
        let x = tensors.get("x").ok_or_else(|| golden.malformed("x is no input"))?;
        Ok(Some(Self {
            golden,
            tensors,
            method,
            x: x.iter().map(|&x| x as f32).collect(),
            rows,
            columns,
            fitted: blocks(golden, rows)?,
            weights: tensors.get("sample_weight").map(Vec::as_slice),
        }))
    }

    /// Runs the case and judges all its outputs, which are returned; none of a case that could not be run.
    pub fn run(&self, device: &Device, tight: bool, entry: &mut CaseReport) -> Result<HashMap<String, Vec<f64>>> {
        let mut outputs = HashMap::new();
        let outcome = match device {
            Device::Cpu => self.on_cpu(),
            Device::Gpu(context) => pollster::block_on(self.on_gpu(context)),
        };
        entry.variant = Some(match device {
            Device::Cpu => device.variant_name(None),
            Device::Gpu(_) => "scaler",
        });
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                entry.fail(error.to_string());
                return Ok(outputs);
            }
        };
        entry.dispatches = outcome.dispatches;
        if outcome.dispatches == 0 && !self.x.is_empty() {
            entry.fail("nothing was dispatched");
        }
        for name in &self.golden.outputs {
            let Some(actual) = self.output(name, &outcome) else {
                entry.skipped_tensor(name);
                continue;
            };
            let tolerance = self.golden.tolerance(name, tight)?;
            let reference = &self.tensors[name];
            let actual = outputs.entry(name.clone()).or_insert(actual);
            let against = |tolerance| compare(actual.iter().copied(), reference, tolerance);
            entry.compared(name, &against(&tolerance), &tolerance);
            // What f32 sums make of a mean is the case's to judge.
            if !matches!(device, Device::Cpu) {
                continue;
            }
            let own = self.bound(name, reference, &outcome);
            let comparison = against(&own);
            if !comparison.passed {
                entry.fail(format!(
                    "{name} is beyond the bound of its own, {:.1e} of itself and {:.1e}: largest error {:.3e}",
                    own.rtol, own.atol, comparison.max_abs_err
                ));
            }
        }
        entry.settle();
        Ok(outputs)
    }

    fn on_cpu(&self) -> Result<Outcome, wgnorm::Error> {
        let features = Features::columns(self.rows, self.columns);
        let scaler = self.fit(&self.x)?;
        let y = twice(self.x.len(), |y: &mut [f32]| scaler.transform(&self.x, features, y))?;
        let inverse = match self.method {
            Method::UnitNorm(_) => Vec::new(),
            _ => twice(y.len(), |x: &mut [f32]| scaler.inverse_transform(&y, features, x))?,
        };
        let from_f64 = match self.tensors.get("x_f64") {
            Some(x) => twice(x.len(), |y: &mut [f64]| self.fit(x)?.transform(x, features, y))?,
            None => Vec::new(),
        };
        Ok(Outcome {
            scaler,
            y: y.into_iter().map(f64::from).collect(),
            inverse: inverse.into_iter().map(f64::from).collect(),
            from_f64,
            dispatches: 1,
        })
    }

    async fn on_gpu(&self, context: &Context) -> Result<Outcome, wgnorm::Error> {
        let features = Features::columns(self.rows, self.columns);
        let mut dispatches = 0;
        let scaler = self.fit_on(context, &self.x, None, &mut dispatches).await?;
        let plan = scaler.plan_transform(context, features)?;
        let y = mapped(context, &plan, &self.x, &mut dispatches).await?;
        let inverse = match self.method {
            Method::UnitNorm(_) => Vec::new(),
            _ => mapped(context, &scaler.plan_inverse(context, features)?, &y, &mut dispatches).await?,
        };
        let from_f64 = match (self.tensors.get("x_f64"), &self.method) {
            (None, _) => Vec::new(),
            // Norms of rows are those of whole values.
            (Some(x), Method::UnitNorm(_)) => {
                let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
                mapped(context, &plan, &x, &mut dispatches).await?
            }
            (Some(x), _) => {
                let Split { values, pivots } = Split::new(x, features)?;
                let scaler = self.fit_on(context, &values, Some(&pivots), &mut dispatches).await?;
                let plan = scaler.plan_transform_split(context, features, &pivots)?;
                mapped(context, &plan, &values, &mut dispatches).await?
            }
        };
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        Ok(Outcome {
            scaler,
            y: wide(y),
            inverse: wide(inverse),
            from_f64: wide(from_f64),
            dispatches,
        })
    }

    /// Fits on a device what a case fits, block by block.
    async fn fit_on(
        &self,
        context: &Context,
        x: &[f32],
        pivots: Option<&[f64]>,
        dispatches: &mut usize,
    ) -> Result<Scaler, wgnorm::Error> {
        let buffer = transfer::upload(context, "x", x);
        let weights = self.weights.map(|weights| {
            let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
            transfer::upload(context, "weights", &weights)
        });
        let mut fitter = self.method.device_fitter(context, self.columns)?;
        loop {
            for rows in &self.fitted {
                let view = View::new(&buffer).offset((rows.start * self.columns) as u64);
                let mut encoder = context.device().create_command_encoder(&Default::default());
                let features = Features::columns(rows.len(), self.columns);
                let recorded = match &weights {
                    Some(weights) => {
                        let weights = View::new(weights).offset(rows.start as u64);
                        fitter.record_weighted(&mut encoder, view, features, weights)?
                    }
                    None => fitter.record(&mut encoder, view, features)?,
                };
                context.queue().submit([encoder.finish()]);
                let words: Vec<u32> = transfer::download(context, fitter.results(), 0..recorded.words).await?;
                fitter.absorb(&recorded, &words)?;
                *dispatches += usize::from(recorded.words > 0);
            }
            if !fitter.next_pass()? {
                return match pivots {
                    Some(pivots) => fitter.finish_split(pivots),
                    None => fitter.finish(),
                };
            }
        }
    }

    /// Fits the rows of the case, block by block.
    fn fit<T: Element>(&self, x: &[T]) -> Result<Scaler, wgnorm::Error> {
        let block = |rows: &Range<usize>| {
            let x = &x[rows.start * self.columns..rows.end * self.columns];
            (x, Features::columns(rows.len(), self.columns))
        };
        let Some(weights) = self.weights else {
            let read = |visit: &mut Visit<'_, T>| {
                (self.fitted.iter().map(block)).try_for_each(|(x, features)| visit(x, features))
            };
            return self.method.fit_chunks(self.columns, read);
        };
        let mut fitter = self.method.fitter(self.columns)?;
        for rows in &self.fitted {
            let (x, features) = block(rows);
            fitter.partial_fit_weighted(x, features, &weights[rows.clone()])?;
        }
        fitter.finish()
    }

    /// An output under the name it has in a case, which is scikit-learn's.
    fn output(&self, name: &str, outcome: &Outcome) -> Option<Vec<f64>> {
        let scaler = &outcome.scaler;
        let lines = || scaler.center().iter().zip(scaler.scale()).zip(scaler.offset());
        Some(match (name, scaler.fitted()) {
            ("y", _) => outcome.y.clone(),
            ("inverse", _) => outcome.inverse.clone(),
            ("y_from_x_f64", _) => outcome.from_f64.clone(),
            ("data_min", Fitted::Extremes(all)) => all.iter().map(|one| one.values().0).collect(),
            ("data_max", Fitted::Extremes(all)) => all.iter().map(|one| one.values().1).collect(),
            ("data_range", Fitted::Extremes(all)) => all.iter().map(|one| one.values().1 - one.values().0).collect(),
            ("max_abs", Fitted::Extremes(all)) => all.iter().map(|one| one.magnitude()).collect(),
            ("scale", _) if matches!(self.method, Method::MinMax(_)) => {
                scaler.scale().iter().map(|scale| scale.recip()).collect()
            }
            ("min", Fitted::Extremes(_)) => lines()
                .map(|((center, scale), offset)| offset - center / scale)
                .collect(),
            ("center", Fitted::Moments(all)) => all.iter().map(|one| one.mean()).collect(),
            ("var", Fitted::Moments(all)) => all.iter().map(|one| one.variance()).collect(),
            ("n_seen", Fitted::Moments(all)) => all.iter().map(|one| one.count).collect(),
            ("center", _) => scaler.center().to_vec(),
            ("scale", _) => scaler.scale().to_vec(),
            _ => return None,
        })
    }

    /// What an output may be off by at most, whatever the case allows.
    ///
    /// Parameters are those of f64, taken in another order than scikit-learn does: a mean of values about m has errors
    /// of m epsilons. y and the inverse are rounded to f32 last, and the inverse is that of a rounded y.
    fn bound(&self, name: &str, reference: &[f64], outcome: &Outcome) -> Tolerance {
        let scaler = &outcome.scaler;
        // (Of the means, even where none is subtracted.)
        let means = match scaler.fitted() {
            Fitted::Moments(all) => all.iter().map(|one| one.mean()).collect(),
            _ => scaler.center().to_vec(),
        };
        let largest = |values: &[f64]| {
            values
                .iter()
                .filter(|v| v.is_finite())
                .fold(0.0, |most: f64, v| most.max(v.abs()))
        };
        let ratios: Vec<f64> = scaler.center().iter().zip(scaler.scale()).map(|(c, s)| c / s).collect();
        const WIDE: f64 = 1.0 / (1u64 << 44) as f64;
        // Subnormal f32 have an absolute error.
        const SUBNORMAL: f64 = f32::from_bits(1) as f64;
        let half_ulp = f64::from(f32::EPSILON) * 0.501;
        match name {
            "y" => Tolerance {
                rtol: half_ulp,
                atol: WIDE * largest(&ratios) + SUBNORMAL,
            },
            // The rounding of y counts as much as y is larger than x, in units of the scale.
            "inverse" => Tolerance {
                rtol: 2.0 * half_ulp,
                atol: half_ulp * 2.0 * largest(scaler.center())
                    + WIDE * largest(reference)
                    + SUBNORMAL * largest(scaler.scale()),
            },
            "y_from_x_f64" => Tolerance {
                rtol: WIDE,
                atol: WIDE * largest(&ratios),
            },
            "data_min" | "data_max" | "data_range" | "max_abs" | "n_seen" => Tolerance::default(),
            "min" => Tolerance {
                rtol: WIDE,
                atol: WIDE * largest(&ratios),
            },
            "center" => Tolerance {
                rtol: WIDE,
                atol: WIDE * largest(scaler.scale()),
            },
            // A mean has an error of its epsilons, which the deviations from it have too.
            "var" => Tolerance {
                rtol: WIDE,
                atol: 2.0 * f64::EPSILON * largest(&means) * largest(reference).sqrt(),
            },
            "scale" if matches!(self.method, Method::Standard(_)) => Tolerance {
                rtol: WIDE,
                atol: 2.0 * f64::EPSILON * largest(&means),
            },
            _ => Tolerance { rtol: WIDE, atol: 0.0 },
        }
    }
}

struct Outcome {
    scaler: Scaler,
    y: Vec<f64>,
    inverse: Vec<f64>,
    from_f64: Vec<f64>,
    dispatches: usize,
}

/// What a plan writes, over NaN.
async fn mapped(
    context: &Context,
    plan: &TransformPlan,
    x: &[f32],
    dispatches: &mut usize,
) -> Result<Vec<f32>, wgnorm::Error> {
    let buffer = transfer::upload(context, "x", x);
    let y = transfer::upload(context, "y", &vec![f32::NAN; x.len()]);
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let bound = plan.bind(&buffer, &y)?;
    bound.record(&mut encoder);
    context.queue().submit([encoder.finish()]);
    *dispatches += bound.dispatches();
    transfer::download(context, &y, 0..x.len()).await
}

/// The rows that are fitted: `fit_rows` is the first and one past the last, `partial_fit_rows` the bounds of blocks.
fn blocks(golden: &Golden, rows: usize) -> Result<Vec<Range<usize>>> {
    for name in ["partial_fit_rows", "fit_rows"] {
        let Some(bounds) = golden.given(name) else {
            continue;
        };
        let bounds: Option<Vec<usize>> =
            (bounds.as_array()).and_then(|list| list.iter().map(|bound| Some(bound.as_u64()? as usize)).collect());
        let valid =
            |bounds: &Vec<usize>| bounds.len() >= 2 && bounds.is_sorted() && bounds.iter().all(|&bound| bound <= rows);
        return match bounds.filter(valid) {
            Some(bounds) => Ok(bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()),
            None => Err(golden.malformed(format!("{name} are not bounds of blocks of the {rows} rows"))),
        };
    }
    let all = 0..rows;
    Ok(vec![all])
}

/// What is written over two different contents; all NaN if what is found depends on them.
fn twice<U: Real>(len: usize, write: impl Fn(&mut [U]) -> Result<(), wgnorm::Error>) -> Result<Vec<U>, wgnorm::Error> {
    let run = |poison: f64| {
        let mut output = vec![U::narrow(poison); len];
        write(&mut output)?;
        Ok::<_, wgnorm::Error>(output)
    };
    let (first, mut second) = (run(f64::NAN)?, run(1e30)?);
    for (first, second) in first.iter().zip(&mut second) {
        if first != second && *second == U::narrow(1e30) {
            *second = U::narrow(f64::NAN);
        }
    }
    Ok(second)
}
