//! What a device has made of a row against the f64 reference, by parts of the tensors on all threads.

use rayon::prelude::*;
use wgnorm::verify::{self, Arrangement, Case, Comparison, Tolerance, compare, gradient_tolerances, tolerances};
use wgnorm::{Context, Result as LibraryResult};

use super::Direction;
use super::split::Split;
use crate::cpu::{GradientOutput, Outputs};
use crate::failure::{Failure, Result};
use crate::resident::Resident;
use crate::ulp;

/// Elements up to which a row runs twice more, in buffers with guards, each time over another poison.
const TWICE: usize = 1 << 21;

#[derive(Default)]
pub struct Errors {
    pub max_abs_err: f64,
    /// Of y.
    pub max_ulp: Option<f64>,
    pub poisoned_runs: u32,
}

/// Compares every element of the very buffers that are timed with the reference, after a run over NaN; of small tensors
/// also as [`verify::run`] does. The resident must not have run since its tensors were uploaded.
pub fn verified(context: &Context, case: &Case, resident: &Resident, direction: Direction) -> Result<Errors> {
    let mismatch = |what: &str| {
        let (name, shape) = (case.name(), &case.shape);
        Failure::Mismatch(format!("{name} {shape:?} {direction}: {what}; not timed"))
    };
    let twice = case.x.len() <= TWICE;
    if twice {
        let verdict = poisoned_twice(context, case, resident, direction)?;
        if !verdict.passed() {
            return Err(mismatch(&verdict.failures.join("; ")));
        }
    }
    resident.poison();
    resident.submit();
    let errors = compared(case, &resident.read(case)?).map_err(|what| mismatch(&what))?;
    Ok(Errors {
        poisoned_runs: if twice { 3 } else { 1 },
        ..errors
    })
}

fn poisoned_twice(
    context: &Context,
    case: &Case,
    resident: &Resident,
    direction: Direction,
) -> LibraryResult<verify::Verdict> {
    let variant = resident.operation().variant;
    Ok(match direction {
        Direction::Forward => verify::judge(case, &pollster::block_on(verify::run(context, case, variant))?),
        Direction::Backward => {
            let run = verify::run_backward(context, case, variant, Arrangement::Plain);
            verify::judge_gradients(case, &pollster::block_on(run)?)
        }
    })
}

/// The largest errors, or what is wrong.
fn compared(case: &Case, outputs: &Outputs) -> Result<Errors, String> {
    let split = Split::new(case);
    let parts: Vec<_> = split.ranges();
    let parts = parts.into_par_iter().map(|range| {
        let part = split.part(&range);
        let mut checked = Part::default();
        match outputs {
            Outputs::Forward(output) => checked.forward(
                &part,
                &split.gather(&output.y, &range),
                output
                    .running
                    .as_ref()
                    .map(|(mean, var)| [mean, var].map(|values| split.of_channels(values, &range))),
            ),
            Outputs::Backward(output) => {
                let of_weight = |values: &Option<Vec<f32>>| {
                    let values = values.as_ref().filter(|_| split.splits_weight())?;
                    Some(split.of_weight(values, &range))
                };
                let output = GradientOutput {
                    dx: split.gather(&output.dx, &range),
                    dweight: of_weight(&output.dweight),
                    dbias: of_weight(&output.dbias),
                };
                checked.backward(&part, &output);
            }
        }
        checked
    });
    // In the order of parts, so that sums are the same at every run.
    let parts: Vec<Part> = parts.collect();
    let mut whole = Part::default();
    for part in parts {
        whole.add(part);
    }
    if let (Outputs::Backward(output), false) = (outputs, split.splits_weight()) {
        let [dweight, dbias] = std::mem::take(&mut whole.sums);
        whole.compare_sum("dweight", &output.dweight, dweight);
        whole.compare_sum("dbias", &output.dbias, dbias);
    }
    match whole.failures.is_empty() {
        true => Ok(whole.errors),
        false => Err(whole.failures.join("; ")),
    }
}

/// What came out of some parts.
#[derive(Default)]
struct Part {
    errors: Errors,
    failures: Vec<String>,
    /// dweight and dbias.
    sums: [Sum; 2],
}

/// A gradient to which all parts add, with the sum of their tolerances.
#[derive(Default)]
struct Sum {
    expected: Vec<f64>,
    atol: f64,
}

impl Sum {
    fn add(&mut self, expected: Vec<f64>, atol: f64) {
        self.expected.resize(expected.len().max(self.expected.len()), 0.0);
        let pairs = self.expected.iter_mut().zip(expected);
        pairs.for_each(|(sum, value)| *sum += value);
        self.atol += atol;
    }
}

impl Part {
    fn forward(&mut self, part: &Case, y: &[f32], running: Option<[Vec<f32>; 2]>) {
        let expected = part.expected();
        let limits = tolerances(part, &expected);
        self.compare("y", y, &expected.y, &limits.y);
        match part.operation() {
            Ok(operation) => self.errors.max_ulp = Some(ulp::largest(&operation, part, &expected.y, y)),
            Err(error) => self.failures.push(error.to_string()),
        }
        if let Some([mean, var]) = running {
            let [expected_mean, expected_var] =
                [expected.running_mean, expected.running_var].map(Option::unwrap_or_default);
            self.compare("running_mean", &mean, &expected_mean, &limits.running_mean);
            self.compare("running_var", &var, &expected_var, &limits.running_var);
        }
    }

    fn backward(&mut self, part: &Case, output: &GradientOutput) {
        let expected = part.expected();
        let limits = gradient_tolerances(part, false);
        self.compare("dx", &output.dx, &expected.dx.unwrap_or_default(), &limits.dx);
        let parameters = [
            ("dweight", &output.dweight, expected.dweight, limits.dweight),
            ("dbias", &output.dbias, expected.dbias, limits.dbias),
        ];
        for ((name, own, expected, limit), sum) in parameters.into_iter().zip(&mut self.sums) {
            let expected = expected.unwrap_or_default();
            match own {
                Some(own) => compare_into(&mut self.errors, &mut self.failures, name, own, &expected, &limit),
                None => sum.add(expected, limit.atol),
            }
        }
    }

    fn compare(&mut self, name: &str, own: &[f32], expected: &[f64], tolerance: &Tolerance) {
        compare_into(&mut self.errors, &mut self.failures, name, own, expected, tolerance);
    }

    fn compare_sum(&mut self, name: &str, own: &Option<Vec<f32>>, sum: Sum) {
        if let Some(own) = own {
            let tolerance = Tolerance {
                rtol: 0.0,
                atol: sum.atol,
            };
            self.compare(name, own, &sum.expected, &tolerance);
        }
    }

    fn add(&mut self, part: Self) {
        self.errors.max_abs_err = self.errors.max_abs_err.max(part.errors.max_abs_err);
        self.errors.max_ulp = self
            .errors
            .max_ulp
            .into_iter()
            .chain(part.errors.max_ulp)
            .reduce(f64::max);
        self.failures.extend(part.failures);
        for (sum, other) in self.sums.iter_mut().zip(part.sums) {
            sum.add(other.expected, other.atol);
        }
    }
}

fn compare_into(
    errors: &mut Errors,
    failures: &mut Vec<String>,
    name: &str,
    own: &[f32],
    expected: &[f64],
    tolerance: &Tolerance,
) {
    let Comparison {
        max_abs_err,
        nonfinite_mismatch,
        passed,
        ..
    } = compare(own.iter().map(|&value| f64::from(value)), expected, tolerance);
    errors.max_abs_err = errors.max_abs_err.max(max_abs_err);
    if !passed {
        failures.push(format!(
            "{name}: off by {max_abs_err:.3e}, allowed {:.3e} + {:.3e} |reference|, {nonfinite_mismatch} elements wrongly \
             finite, wrongly not finite or missing",
            tolerance.atol, tolerance.rtol
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;
    use crate::operation::Op;

    use super::super::workload::Workload;

    /// The CPU's results stand in for a device's: right, and with one element wrong.
    #[test]
    fn every_element_of_every_output_is_compared() {
        for workload in [
            Workload::new(Op::Layer, &[3000, 400]),
            Workload::new(Op::Batch, &[4, 6, 10]),
            Workload::new(Op::Group, &[2, 6, 10]).groups(3),
        ] {
            let case = workload.case(Direction::Forward).unwrap();
            let operation = case.operation().unwrap();
            let mut output = cpu::run(&operation, &case, 0.0).unwrap();
            let last = output.y.len() - 1;
            let y = output.y[last];
            assert!(compared(&case, &Outputs::Forward(output)).is_ok());
            for wrong in [y + 0.01, f32::NAN] {
                output = cpu::run(&operation, &case, 0.0).unwrap();
                output.y[last] = wrong;
                assert!(compared(&case, &Outputs::Forward(output)).is_err());
            }

            let case = workload.case(Direction::Backward).unwrap();
            let mut output = cpu::GradientOutput::poisoned(&case, 0.0);
            let gradients = |output: &GradientOutput| [output.dx.len(), output.dweight.as_ref().map_or(0, Vec::len)];
            cpu::run_backward_into(&operation, &case, None, &mut output).unwrap();
            let [elements, weights] = gradients(&output);
            let right = Outputs::Backward(output);
            assert!(compared(&case, &right).is_ok());
            let Outputs::Backward(mut output) = right else { continue };
            output.dx[elements - 1] += 0.01;
            let wrong = Outputs::Backward(output);
            assert!(compared(&case, &wrong).is_err());
            let Outputs::Backward(mut output) = wrong else { continue };
            output.dx[elements - 1] -= 0.01;
            if let Some(dweight) = &mut output.dweight {
                dweight[weights - 1] *= 1.1;
            }
            assert!(compared(&case, &Outputs::Backward(output)).is_err());
        }
    }
}
