use super::tolerance::gradient_tolerances;
use crate::Variant;
use crate::verify::case::Case;
use crate::verify::compare::compare;
use crate::verify::expected::widen;
use crate::verify::judge::{TensorVerdict, Verdict, failures, judge_either};

/// What a device made of the backward pass of a [`Case`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GradientOutcome {
    /// The gradient of x, in row-major order of the case's shape, if asked for.
    pub dx: Option<Vec<f32>>,
    /// The gradient of the weight, if asked for.
    pub dweight: Option<Vec<f32>>,
    /// The gradient of the bias, if asked for.
    pub dbias: Option<Vec<f32>>,
    /// The variant that the plan used.
    pub variant: Option<Variant>,
    /// Number of dispatches recorded.
    pub dispatches: usize,
    /// True if both runs gave the same bits, so that nothing depends on what was in outputs and workspace.
    pub bits_stable: bool,
    /// Words beside the outputs that the call changed.
    pub stray_writes: usize,
    /// True if they are made of y.
    pub from_output: bool,
}

/// Judges a backward run under the tight [`gradient_tolerances`](super::gradient_tolerances), as
/// [`judge`](crate::verify::judge) does a forward one: every gradient that the outcome has against the reference.
///
/// One that the outcome has and the case has not, for want of a weight or a bias, is not looked at.
pub fn judge_gradients(case: &Case, outcome: &GradientOutcome) -> Verdict {
    let tensors = judge_either(case, |case| judge_tensors(case, outcome));
    let mut failures = failures(&tensors, outcome.bits_stable, outcome.stray_writes);
    // The gradients of no elements are zeros, which have to be written too.
    if outcome.dispatches == 0 && !case.x.is_empty() {
        failures.push("nothing was dispatched".into());
    }
    Verdict { tensors, failures }
}

fn judge_tensors(case: &Case, outcome: &GradientOutcome) -> Vec<TensorVerdict> {
    let expected = case.expected();
    let limits = gradient_tolerances(case, outcome.from_output);
    [
        ("dx", &outcome.dx, expected.dx, limits.dx),
        ("dweight", &outcome.dweight, expected.dweight, limits.dweight),
        ("dbias", &outcome.dbias, expected.dbias, limits.dbias),
    ]
    .into_iter()
    .filter_map(|(name, actual, expected, tolerance)| {
        Some(TensorVerdict {
            name,
            comparison: compare(widen(actual.as_ref()?), &expected?, &tolerance),
            tolerance,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::gradient_cases;
    use super::*;
    use crate::verify::Scale;

    /// What a perfect kernel would give: the reference, rounded once.
    fn rounded(case: &Case) -> GradientOutcome {
        let expected = case.expected();
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        GradientOutcome {
            dx: expected.dx.map(narrow),
            dweight: expected.dweight.map(narrow),
            dbias: expected.dbias.map(narrow),
            dispatches: 1,
            bits_stable: true,
            ..GradientOutcome::default()
        }
    }

    #[test]
    fn the_rounded_reference_passes() {
        for case in gradient_cases(Scale::Smoke) {
            let verdict = judge_gradients(&case, &rounded(&case));
            assert!(verdict.passed(), "{}: {}", case.id, verdict.failures.join("; "));
        }
    }

    #[test]
    fn what_is_off_by_a_thousandth_fails() {
        for case in gradient_cases(Scale::Smoke) {
            let right = rounded(&case);
            let ordinary = |values: &Option<Vec<f32>>| {
                let largest = values
                    .iter()
                    .flatten()
                    .fold(0.0f32, |largest, value| largest.max(value.abs()));
                // What is nearly subnormal may be flushed.
                largest > 1e-30
            };
            let spoil = |values: &Option<Vec<f32>>| {
                let spoilt = values.iter().flatten().map(|value| value * 1.001);
                values.is_some().then(|| spoilt.collect())
            };
            let mut wrong = vec![];
            if ordinary(&right.dx) && case.name() != "lp_norm" {
                wrong.push(GradientOutcome {
                    dx: spoil(&right.dx),
                    ..right.clone()
                });
            }
            if ordinary(&right.dbias) {
                wrong.push(GradientOutcome {
                    dbias: spoil(&right.dbias),
                    ..right.clone()
                });
            }
            for outcome in wrong {
                assert!(!judge_gradients(&case, &outcome).passed(), "{}", case.id);
            }
        }
    }

    #[test]
    fn unstable_bits_and_idle_runs_fail() {
        let case = &gradient_cases(Scale::Smoke)[0];
        let outcome = GradientOutcome {
            dispatches: 0,
            bits_stable: false,
            stray_writes: 1,
            ..rounded(case)
        };
        assert_eq!(judge_gradients(case, &outcome).failures.len(), 3);
    }
}
