//! The cases that every variant is checked with.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;

use super::arrangement::places;
use super::case::{Case, Norm};
use super::forms::{Form, hostile, large, ordinary, ordinary_few};
use super::values::{Values, normal, uniform};
use crate::Layout;

/// How many cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scale {
    /// A few dozen.
    Smoke,
    /// A few hundred: all geometries with ordinary values, and a few with hostile ones.
    #[default]
    Quick,
    /// Some two thousand: all geometries with all values.
    Full,
}

/// Cases with distinct identifiers, the same at every call.
pub fn cases(scale: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |forms: Vec<Form>, values: &dyn Fn(usize) -> Vec<Values>| {
        for (i, form) in forms.iter().enumerate() {
            // With given statistics x_hat itself would overflow, and nothing can be asked of y.
            let possible = |values: &Values| !(form.norm.uses_running() && *values == Values::NearMax);
            let values = values(i).into_iter().filter(possible);
            cases.extend(values.map(|values| case(form, values, i)));
        }
    };
    let alternating = |i: usize| {
        vec![if i.is_multiple_of(2) {
            Values::FarMean
        } else {
            Values::Normal
        }]
    };
    let few = [Values::Normal, Values::FarMean, Values::Constant, Values::Ramp];
    match scale {
        Scale::Smoke => {
            add(ordinary_few(), &alternating);
            add(hostile(), &|i| match i {
                0 => Values::ALL.to_vec(),
                1 => vec![Values::Constant, Values::NearMax, Values::OneNan],
                _ => Vec::new(),
            });
        }
        Scale::Quick => {
            add(ordinary(), &alternating);
            add(hostile(), &|_| Values::ALL.to_vec());
            add(large(), &alternating);
        }
        Scale::Full => {
            add(ordinary(), &|_| Values::ALL.to_vec());
            add(hostile(), &|_| Values::ALL.to_vec());
            add(large(), &|_| few.to_vec());
        }
    }
    // A form may be both ordinary and hostile.
    let mut seen = HashSet::new();
    cases.retain(|case| seen.insert(case.id.clone()));
    cases
}

/// The case of a form and a kind of values. `index` varies the data, and whether there is a weight and a bias.
fn case(form: &Form, values: Values, index: usize) -> Case {
    let seed = index as u64;
    let mut rng = Rng::with_seed(!seed);
    let mut case = Case {
        id: String::new(),
        norm: form.norm.clone(),
        shape: form.shape.clone(),
        layout: form.layout,
        preset: form.preset,
        eps: None,
        x: values_of(form, values, seed),
        dy: None,
        weight: None,
        bias: None,
        running: None,
        weight_axes: form.weight_axes.clone(),
        input_strides: form.input_strides.clone(),
        output_strides: form.output_strides.clone(),
    };
    case.id = identifier(&case, values);
    if let Some(running) = form.norm.running()
        && (running.use_running || running.update.is_some())
    {
        let channels = case.channels().unwrap_or(0);
        let center = if values == Values::FarMean { 1e6 } else { 0.0 };
        let mean = (0..channels).map(|_| center + normal(&mut rng)).collect();
        let var = (0..channels).map(|_| 1.0 + 0.5 * uniform(&mut rng)).collect();
        case.running = Some((mean, var));
    }
    // Each operation's ordinary use first: z-score and mean-variance normalization go without.
    let bare = matches!(
        case.norm,
        Norm::ZScore { .. } | Norm::MeanVariance { .. } | Norm::Lp { .. } | Norm::LocalResponse { .. }
    );
    let (weight, bias) = match (index % 4, bare) {
        (0 | 1, false) | (3, true) => (true, true),
        (2, false) => (true, false),
        (3, false) => (false, true),
        _ => (false, false),
    };
    let length = case.operation().map_or(0, |operation| operation.weight_len as usize);
    case.weight = weight.then(|| (0..length).map(|_| 1.0 + 0.5 * normal(&mut rng)).collect());
    case.bias = bias.then(|| (0..length).map(|_| normal(&mut rng)).collect());
    case
}

/// The values of x; where strides let elements share a place, they share its value.
fn values_of(form: &Form, values: Values, seed: u64) -> Vec<f32> {
    let x = values.fill(form.elements(), seed);
    match &form.input_strides {
        Some(strides) => {
            let first: HashMap<usize, f32> = places(&form.shape, strides).into_iter().zip(x).rev().collect();
            places(&form.shape, strides)
                .into_iter()
                .map(|place| first[&place])
                .collect()
        }
        None => x,
    }
}

/// `layer_norm(axes [1])/5x257/far-mean`.
fn identifier(case: &Case, values: Values) -> String {
    let detail = match &case.norm {
        Norm::Layer { axes } | Norm::Rms { axes } => format!("axes {axes:?}"),
        Norm::Lp { axes, p, zero } => format!("axes {axes:?}, p {p}, {zero:?}"),
        Norm::LocalResponse { size, beta, .. } => format!("size {size}, beta {beta}"),
        Norm::Group { groups, affine } => format!("{groups} groups, {affine:?}"),
        Norm::ZScore { axes, ddof } => format!("axes {axes:?}, ddof {ddof}"),
        Norm::MeanVariance { axes } => format!("axes {axes:?}"),
        Norm::Batch(running) | Norm::Instance(running) => match (running.use_running, running.update) {
            (true, _) => "running".into(),
            (false, Some(update)) => format!("momentum {}", update.momentum),
            (false, None) => "batch".into(),
        },
    };
    let layout = match (case.channels(), case.layout) {
        (None, _) => "",
        (_, Layout::ChannelsFirst) => " nc*",
        (_, Layout::ChannelsLast) => " n*c",
    };
    let mut extra = String::new();
    for (name, list) in [
        ("weight axes", &case.weight_axes),
        ("x strides", &case.input_strides),
        ("y strides", &case.output_strides),
    ] {
        if let Some(list) = list {
            extra.push_str(&format!(" {name} {list:?}"));
        }
    }
    let shape: Vec<String> = case.shape.iter().map(usize::to_string).collect();
    format!(
        "{}({detail}){layout}{extra} {:?}/{}/{}",
        case.name(),
        case.preset,
        shape.join("x"),
        values.name()
    )
}

#[cfg(test)]
mod tests {
    use super::super::{judge, run::Outcome};
    use super::*;
    use crate::Record;

    /// What a perfect kernel would give: the reference, rounded once.
    fn rounded(case: &Case) -> Outcome {
        let expected = case.expected();
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        let records = expected.mean.iter().flatten().zip(expected.rstd.iter().flatten());
        Outcome {
            y: narrow(expected.y),
            records: records.map(|(&mean, &rstd)| record(mean, rstd)).collect(),
            running_mean: expected.running_mean.map(narrow),
            running_var: expected.running_var.map(narrow),
            variant: None,
            dispatches: 1,
            bits_stable: true,
            stray_writes: 0,
        }
    }

    /// The record of a mean and a reciprocal deviation, scaled so that neither leaves the range of f32.
    fn record(mean: f64, rstd: f64) -> Record {
        let scale = if mean.abs() > 1e30 || rstd < 1e-30 {
            2f64.powi(-64)
        } else {
            1.0
        };
        let scale = if rstd > 1e30 { 2f64.powi(64) } else { scale };
        let m = (mean * scale) as f32;
        Record {
            m,
            e: (mean * scale - f64::from(m)) as f32,
            r: (rstd / scale) as f32,
            scale: scale as f32,
        }
    }

    #[test]
    fn identifiers_are_distinct_and_cases_valid() {
        for scale in [Scale::Smoke, Scale::Quick] {
            let cases = cases(scale);
            let ids: HashSet<_> = cases.iter().map(|case| &case.id).collect();
            assert_eq!(ids.len(), cases.len());
            for case in &cases {
                assert!(case.operation().is_ok(), "{}: {:?}", case.id, case.operation());
            }
        }
    }

    #[test]
    fn the_rounded_reference_passes() {
        for case in cases(Scale::Quick) {
            let verdict = judge(&case, &rounded(&case));
            assert!(verdict.passed(), "{}: {}", case.id, verdict.failures.join("; "));
        }
    }

    #[test]
    fn an_f32_mean_fails_far_from_zero() {
        let form = &ordinary_few()[0];
        let case = case(form, Values::FarMean, 0);
        let mut outcome = rounded(&case);
        for record in &mut outcome.records {
            record.e = 0.0;
        }
        assert!(!judge(&case, &outcome).passed());
    }

    #[test]
    fn constant_rows_must_be_exactly_bias() {
        let case = case(&hostile()[0], Values::Constant, 0);
        let mut outcome = rounded(&case);
        assert_eq!(outcome.y[..257], case.bias.clone().unwrap()[..]);
        outcome.y[300] = outcome.y[300].next_up();
        assert!(!judge(&case, &outcome).passed());
    }

    #[test]
    fn flushed_subnormals_pass_too() {
        let case = case(&hostile()[0], Values::Subnormal, 0);
        let flushed = case.flushed().unwrap();
        assert!(flushed.x.iter().all(|&x| x == 0.0));
        assert!(judge(&case, &rounded(&flushed)).passed());
    }

    #[test]
    fn unstable_bits_and_idle_runs_fail() {
        let case = case(&hostile()[0], Values::Normal, 0);
        let mut outcome = rounded(&case);
        outcome.dispatches = 0;
        outcome.bits_stable = false;
        assert_eq!(judge(&case, &outcome).failures.len(), 2);
    }
}
