//! `wgnorm tune`: measures the values that thresholds may have on this adapter, and writes a tuning table.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wgnorm::plan::Recipe;
use wgnorm::spec::Operation;
use wgnorm::verify::Case;
use wgnorm::{Context, Tuning, TuningTable};

use crate::bench::check::verified;
use crate::bench::copy::Copy;
use crate::bench::timing::{Timed, median};
use crate::bench::{Direction, command, workload};
use crate::console::{note, say};
use crate::device::{Device, DeviceArgs, describe_driver};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::probes::{Probe, Trial, trials};
use crate::resident::Resident;

/// A value replaces the present one only if it is this much faster over its probes: less is noise.
const WORTH: f64 = 1.03;

#[derive(Args, Debug)]
pub struct TuneArgs {
    /// Writes the table to this file, to be given as --tuning.
    #[arg(short, long, value_name = "FILE", required_unless_present = "show")]
    output: Option<PathBuf>,

    /// Prints the thresholds in use as a table and measures nothing.
    #[arg(long, conflicts_with_all = ["output", "only"])]
    show: bool,

    /// Measures these thresholds alone.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Samples of each time; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// What was measured, for the record that thresholds cite.
#[derive(Serialize)]
struct Record {
    adapter: String,
    driver: String,
    command: String,
    thresholds: Vec<Chosen>,
}

/// A threshold with its values and what each is worth.
#[derive(Serialize)]
struct Chosen {
    threshold: &'static str,
    before: String,
    chosen: String,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct Value {
    value: String,
    /// The geometric mean of `of_copy`.
    mean_of_copy: f64,
    of_copy: Vec<Measured>,
}

/// Bandwidth over that of a copy of the same bytes in the same run.
#[derive(Serialize)]
struct Measured {
    probe: String,
    of_copy: f64,
}

pub fn run(args: &TuneArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let output = args.output.as_deref().map(Output::create).transpose()?;
    let device = device.open()?;
    let adapter = device.describe();
    let Device::Gpu(context) = device else {
        return Err(Failure::input("the CPU path has no thresholds to tune"));
    };
    if args.show {
        say!("{}", TuningTable::of(context.adapter_info(), *context.tuning()));
        return Ok(());
    }
    let trials = wanted(&context, &args.only)?;
    let mut tuning = *context.tuning();
    let bar = progress(&trials);
    let mut chosen = Vec::new();
    for trial in &trials {
        bar.set_message(trial.threshold);
        let result = measure(&context, &mut tuning, trial, args.runs as usize, &bar)?;
        let values: Vec<_> = (result.values.iter())
            .map(|value| format!("{} {:.3}", value.value, value.mean_of_copy))
            .collect();
        bar.suspend(|| {
            say!(
                "{:20} {:10} of copy: {}",
                result.threshold,
                result.chosen,
                values.join(", ")
            )
        });
        chosen.push(result);
    }
    bar.finish_and_clear();
    if let Some(output) = output {
        output.save(TuningTable::of(context.adapter_info(), tuning).to_string().as_bytes())?;
    }
    if let Some(json) = json {
        json.save_json(&Record {
            adapter,
            driver: describe_driver(context.adapter_info()),
            command: command(),
            thresholds: chosen,
        })?;
    }
    Ok(())
}

/// The trials of this kind of adapter, or those asked for.
fn wanted(context: &Context, only: &[String]) -> Result<Vec<Trial>> {
    let trials = trials(context.traits().software);
    if let Some(name) = only
        .iter()
        .find(|name| trials.iter().all(|trial| trial.threshold != *name))
    {
        let names: Vec<_> = trials.iter().map(|trial| trial.threshold).collect();
        return Err(Failure::Input(format!(
            "--only {name}: the thresholds of this kind of adapter are {}",
            names.join(", ")
        )));
    }
    let asked = |trial: &Trial| only.is_empty() || only.iter().any(|name| trial.threshold == name);
    Ok(trials.into_iter().filter(asked).collect())
}

/// A bar over all values of all probes, with the time left.
fn progress(trials: &[Trial]) -> ProgressBar {
    let steps = trials
        .iter()
        .map(|trial| trial.probes.len() * trial.values.len())
        .sum::<usize>();
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Measures every value of a threshold over its probes, and keeps the best if it is worth it.
fn measure(context: &Context, tuning: &mut Tuning, trial: &Trial, runs: usize, bar: &ProgressBar) -> Result<Chosen> {
    let before = tuning.get(trial.threshold).unwrap_or_default();
    let mut values: Vec<String> = trial.values.iter().map(|value| (*value).to_owned()).collect();
    if !values.contains(&before) {
        values.push(before.clone());
    }
    let contexts = (values.iter())
        .map(|value| {
            let mut tuning = *tuning;
            tuning.set(trial.threshold, value)?;
            Ok(context.with_tuning(tuning))
        })
        .collect::<Result<Vec<Context>>>()?;
    let mut measured: Vec<_> = values.iter().map(|_| Vec::new()).collect();
    for probe in &trial.probes {
        match of_copy(&contexts, probe, runs) {
            Ok(shares) => {
                for (measured, of_copy) in measured.iter_mut().zip(shares) {
                    measured.push(Measured {
                        probe: probe.to_string(),
                        of_copy,
                    });
                }
            }
            // Say a tensor beyond this adapter's buffers: the other probes count.
            Err(Failure::Input(reason)) => bar.suspend(|| note("note", &format!("{probe}: {reason}"))),
            Err(failure) => return Err(failure),
        }
        bar.inc(trial.values.len() as u64);
    }
    let values: Vec<_> = (values.into_iter().zip(measured))
        .map(|(value, of_copy)| Value {
            mean_of_copy: geometric_mean(&of_copy),
            value,
            of_copy,
        })
        .collect();
    let mean = |value: &str| {
        values
            .iter()
            .find(|other| other.value == value)
            .map_or(0.0, |other| other.mean_of_copy)
    };
    let best = values.iter().max_by(|a, b| a.mean_of_copy.total_cmp(&b.mean_of_copy));
    let chosen = match best {
        Some(best) if best.mean_of_copy > WORTH * mean(&before) => best.value.clone(),
        _ => before.clone(),
    };
    tuning.set(trial.threshold, &chosen)?;
    Ok(Chosen {
        threshold: trial.threshold,
        before,
        chosen,
        values,
    })
}

/// The share of the copy that each context reaches on a probe. Contexts that plan alike are measured once; samples of all
/// are interleaved.
fn of_copy(contexts: &[Context], probe: &Probe, runs: usize) -> Result<Vec<f64>> {
    let direction = probe.direction;
    let case = probe.workload.case(direction)?;
    let operation = Operation {
        variant: None,
        // Saved by the forward pass for the backward one.
        statistics: direction == Direction::Backward,
        ..case.operation()?
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut which = Vec::new();
    for context in contexts {
        probe.workload.check(context, direction)?;
        let recipe = match direction {
            Direction::Forward => operation.plan(context)?.recipe().clone(),
            Direction::Backward => operation.plan_backward(context, case.gradients())?.recipe().clone(),
        };
        let known = candidates.iter().position(|candidate| candidate.recipe == recipe);
        which.push(known.unwrap_or(candidates.len()));
        if known.is_none() {
            candidates.push(Candidate::new(context, &operation, &case, (recipe, direction))?);
        }
    }
    let bytes = workload::bytes(&operation, &case, direction);
    let copy = Copy::reference(&contexts[0], bytes)?;
    let mut reference = Timed::new(&contexts[0], &copy)?;
    let mut timed = (candidates.iter())
        .map(|candidate| Timed::new(&contexts[0], candidate.resident.bound()))
        .collect::<Result<Vec<_>>>()?;
    for _ in 0..runs {
        reference.sample()?;
        for timed in &mut timed {
            timed.sample()?;
        }
    }
    let copy_gbps = copy.gbps(reference.samples());
    let share = |timed: &Timed| bytes as f64 / median(timed.samples()) * 1e-6 / copy_gbps;
    let shares: Vec<_> = timed.iter().map(share).collect();
    Ok(which.into_iter().map(|index| shares[index]).collect())
}

struct Candidate {
    recipe: Recipe,
    resident: Resident,
}

impl Candidate {
    fn new(
        context: &Context,
        operation: &Operation,
        case: &Case,
        (recipe, direction): (Recipe, Direction),
    ) -> Result<Self> {
        let resident = match direction {
            Direction::Forward => Resident::new(context, operation, case)?,
            Direction::Backward => Resident::backward(context, operation, case)?,
        };
        verified(context, case, &resident, direction)?;
        Ok(Self { recipe, resident })
    }
}

fn geometric_mean(of_copy: &[Measured]) -> f64 {
    let logs = of_copy.iter().map(|measured| measured.of_copy.ln());
    (logs.sum::<f64>() / of_copy.len() as f64).exp()
}
