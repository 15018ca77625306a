//! Cases on the library's CPU path.

use wgnorm::cpu::{self, Args, BackwardArgs};
use wgnorm::geometry::Axis;
use wgnorm::spec::{Operation, Source};
use wgnorm::verify::{Case, GradientOutcome, Outcome};
use wgnorm::{Gradients, Record, Variant};

/// The outputs of one run.
pub struct Output {
    pub y: Vec<f32>,
    pub records: Vec<Record>,
    pub running: Option<(Vec<f32>, Vec<f32>)>,
}

/// The outputs of one run of the backward pass.
pub struct GradientOutput {
    pub dx: Vec<f32>,
    pub dweight: Option<Vec<f32>>,
    pub dbias: Option<Vec<f32>>,
}

impl GradientOutput {
    /// The gradients that a case has, filled with `poison`.
    pub fn poisoned(case: &Case, poison: f32) -> Self {
        let asked = case.gradients();
        let like = |values: &Option<Vec<f32>>| values.as_ref().map(|values| vec![poison; values.len()]);
        Self {
            dx: vec![poison; case.x.len()],
            dweight: like(&case.weight).filter(|_| asked.dweight),
            dbias: like(&case.bias).filter(|_| asked.dbias),
        }
    }
}

/// The outputs of one run in either direction.
pub enum Outputs {
    Forward(Output),
    Backward(GradientOutput),
}

impl Outputs {
    /// Those of the forward pass, if it was that.
    pub fn forward(self) -> Option<Output> {
        match self {
            Self::Forward(output) => Some(output),
            Self::Backward(_) => None,
        }
    }
}

impl Output {
    /// Outputs as `operation` has them, filled with `poison`.
    pub fn poisoned(operation: &Operation, case: &Case, poison: f32) -> Self {
        let record = Record {
            m: poison,
            e: poison,
            r: poison,
            scale: poison,
        };
        Self {
            y: vec![poison; case.x.len()],
            records: match operation.statistics {
                true => vec![record; segments(operation)],
                false => Vec::new(),
            },
            running: case.running.clone(),
        }
    }

    /// The outputs in the form that `verify::judge` takes.
    pub fn outcome(self, variant: Option<Variant>, dispatches: usize, bits_stable: bool) -> Outcome {
        let (running_mean, running_var) = self.running.unzip();
        Outcome {
            y: self.y,
            records: self.records,
            running_mean,
            running_var,
            variant,
            dispatches,
            bits_stable,
            stray_writes: 0,
        }
    }

    /// All outputs as bits, so that NaNs compare.
    fn bits(&self) -> Vec<u32> {
        let records: &[f32] = bytemuck::cast_slice(&self.records);
        let running = self.running.iter().flat_map(|(mean, var)| mean.iter().chain(var));
        (self.y.iter().chain(records).chain(running))
            .map(|value| value.to_bits())
            .collect()
    }
}

/// The CPU's pass over a tensor, counted as a dispatch; there is none over an empty one.
pub fn dispatches(case: &Case) -> usize {
    usize::from(!case.x.is_empty())
}

/// Runs `operation` on the case's tensors, with every output filled with `poison` first.
pub fn run(operation: &Operation, case: &Case, poison: f32) -> Result<Output, wgnorm::Error> {
    let mut output = Output::poisoned(operation, case, poison);
    run_into(operation, case, &mut output)?;
    Ok(output)
}

/// Runs `operation` on the case's tensors into outputs that are there already, so that a timing repeats the work alone.
pub fn run_into(operation: &Operation, case: &Case, output: &mut Output) -> Result<(), wgnorm::Error> {
    let takes_running = operation.source == Source::Running || operation.running.is_some();
    let (running_mean, running_var) = match &mut output.running {
        Some((mean, var)) if takes_running => (Some(mean.as_mut_slice()), Some(var.as_mut_slice())),
        _ => (None, None),
    };
    let args = Args {
        weight: case.weight.as_deref(),
        bias: case.bias.as_deref(),
        running_mean,
        running_var,
        statistics: operation.statistics.then_some(output.records.as_mut_slice()),
        ..Args::default()
    };
    cpu::forward(operation, &case.x, &mut output.y, args)?;
    if case.x.is_empty() {
        output.records.clear();
    }
    Ok(())
}

/// Runs the backward pass of `operation` on the dense tensors of a case that has a dy into outputs that are there already,
/// with the records that the forward pass saved.
pub fn run_backward_into(
    operation: &Operation,
    case: &Case,
    records: Option<&[Record]>,
    output: &mut GradientOutput,
) -> Result<(), wgnorm::Error> {
    let running = case.running.as_ref().filter(|_| operation.source == Source::Running);
    let (running_mean, running_var) = running.map(|(mean, var)| (&mean[..], &var[..])).unzip();
    let args = BackwardArgs {
        weight: case.weight.as_deref(),
        running_mean,
        running_var,
        statistics: records,
        dx: Some(&mut output.dx),
        dweight: output.dweight.as_deref_mut(),
        dbias: output.dbias.as_deref_mut(),
    };
    let dy = case.dy.as_deref().unwrap_or_default();
    cpu::backward(operation, case.gradients(), &case.x, dy, args)
}

/// Runs a case twice over different poisons, as `verify::run` does on a GPU, with x and y by the strides it has.
pub fn run_poisoned(case: &Case) -> Result<Outcome, wgnorm::Error> {
    let operation = case.operation()?;
    let x_places = places(&operation, |axis| axis.x);
    let y_places = places(&operation, |axis| axis.y);
    let laid_out = Case {
        x: laid_out(&case.x, &x_places),
        ..case.clone()
    };
    let run = |poison: f32| {
        let mut output = Output::poisoned(&operation, case, poison);
        output.y = vec![poison; span(&y_places)];
        run_into(&operation, &laid_out, &mut output)?;
        let mut rest = std::mem::take(&mut output.y);
        for &place in &y_places {
            output.y.push(std::mem::replace(&mut rest[place], poison));
        }
        let stray = rest.iter().filter(|y| y.to_bits() != poison.to_bits()).count();
        Ok::<_, wgnorm::Error>((output, stray))
    };
    let (first, stray_writes) = run(f32::NAN)?;
    let (second, more_stray_writes) = run(1e30)?;
    let bits_stable = first.bits() == second.bits();
    Ok(Outcome {
        stray_writes: stray_writes + more_stray_writes,
        ..first.outcome(None, dispatches(case), bits_stable)
    })
}

/// Runs the backward pass of a case that has a dy twice over different poisons, with x and dx by the strides of x and dy by
/// those of y.
pub fn run_backward_poisoned(case: &Case, dy: &[f32]) -> Result<GradientOutcome, wgnorm::Error> {
    let operation = case.operation()?;
    let gradients = Gradients::of(&operation);
    let x_places = places(&operation, |axis| axis.x);
    let y_places = places(&operation, |axis| axis.y);
    let (x, dy) = (laid_out(&case.x, &x_places), laid_out(dy, &y_places));
    let (running_mean, running_var) = match &case.running {
        Some((mean, var)) if operation.source == Source::Running => (Some(&mean[..]), Some(&var[..])),
        _ => (None, None),
    };
    let run = |poison: f32| {
        let parameters = || vec![poison; operation.weight_len as usize];
        let (mut dx, mut dweight, mut dbias) = (vec![poison; span(&x_places)], parameters(), parameters());
        let args = BackwardArgs {
            weight: case.weight.as_deref(),
            running_mean,
            running_var,
            statistics: None,
            dx: Some(&mut dx),
            dweight: gradients.dweight.then_some(&mut dweight[..]),
            dbias: gradients.dbias.then_some(&mut dbias[..]),
        };
        cpu::backward(&operation, gradients, &x, &dy, args)?;
        let mut outcome = GradientOutcome {
            dweight: gradients.dweight.then_some(dweight),
            dbias: gradients.dbias.then_some(dbias),
            dispatches: dispatches(case),
            ..GradientOutcome::default()
        };
        let take = |&place: &usize| std::mem::replace(&mut dx[place], poison);
        outcome.dx = Some(x_places.iter().map(take).collect());
        outcome.stray_writes = dx.iter().filter(|dx| dx.to_bits() != poison.to_bits()).count();
        Ok::<_, wgnorm::Error>(outcome)
    };
    let (first, second) = (run(f32::NAN)?, run(1e30)?);
    let bits = |outcome: &GradientOutcome| -> Vec<u32> {
        let tensors = [&outcome.dx, &outcome.dweight, &outcome.dbias];
        (tensors.into_iter().flatten().flatten())
            .map(|value| value.to_bits())
            .collect()
    };
    Ok(GradientOutcome {
        bits_stable: bits(&first) == bits(&second),
        stray_writes: first.stray_writes + second.stray_writes,
        ..first
    })
}

/// The memory of a tensor whose elements lie at these places.
fn laid_out(values: &[f32], places: &[usize]) -> Vec<f32> {
    let mut memory = vec![f32::NAN; span(places)];
    for (&place, &value) in places.iter().zip(values) {
        memory[place] = value;
    }
    memory
}

/// Where every element lies, in row-major order of the axes.
fn places(operation: &Operation, stride: impl Fn(&Axis) -> u32) -> Vec<usize> {
    operation.axes.iter().fold(vec![0], |starts, axis| {
        let stride = stride(axis) as usize;
        let along = |start: usize| (0..axis.extent as usize).map(move |i| start + i * stride);
        starts.into_iter().flat_map(along).collect()
    })
}

/// Elements from the first to the last.
fn span(places: &[usize]) -> usize {
    places.iter().max().map_or(0, |last| last + 1)
}

/// Number of statistics records of an operation: the product of its kept extents.
fn segments(operation: &Operation) -> usize {
    let kept = operation.axes.iter().filter(|axis| !axis.reduced);
    kept.map(|axis| axis.extent as usize).product()
}
