//! `wgnorm verify`: every operation and candidate variant against the f64 oracle.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use wgnorm::verify::{self, Arrangement, Case, GradientOutcome, Outcome, Scale, Verdict};
use wgnorm::{ErrorKind, Variant, spec::Operation};

use crate::conformance;
use crate::console::say;
use crate::device::{Device, DeviceArgs};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::outputs;
use crate::report::{self, CaseReport, Report};

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Runs every built-in case (minutes).
    #[arg(long, conflicts_with_all = ["smoke", "cases"])]
    full: bool,

    /// Runs a few built-in cases (seconds).
    #[arg(long, conflicts_with = "cases")]
    smoke: bool,

    /// Kernel variant to run, or `all` candidates. Default: all; with --cases, the planner's choice.
    #[arg(long, value_name = "NAME|all", value_parser = variant_names())]
    variant: Option<String>,

    /// Runs every case in every arrangement it allows too: channels last, permuted and strided in memory, in place, at odd
    /// elements of one buffer, in pieces of small bindings.
    #[arg(long)]
    pub matrix: bool,

    /// Runs the conformance cases of this directory (manifest.json and .safetensors files) instead.
    #[arg(long, value_name = "DIR")]
    pub cases: Option<PathBuf>,

    /// Applies a case's tighter tolerances where it has them.
    #[arg(long, requires = "cases")]
    pub tight: bool,

    /// Fails also when a case or tensor was skipped.
    #[arg(long)]
    pub strict: bool,

    /// Writes computed outputs as `OUTDIR/<id>.safetensors`, those of the first variant that ran.
    #[arg(long, value_name = "OUTDIR", requires = "cases")]
    pub dump: Option<PathBuf>,
}

fn variant_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Variant::ALL.into_iter().map(Variant::name).chain(["all"]))
}

/// What a device made of a case.
pub struct Outcomes {
    pub forward: Outcome,
    /// Of a case that has a dy, where the device has the backward pass.
    pub backward: Option<GradientOutcome>,
}

impl Outcomes {
    /// The values of an output by its name in conformance cases; `None` where nothing computes it.
    pub fn values(&self, name: &str) -> Option<Vec<f64>> {
        let gradient = || outputs::gradient(self.backward.as_ref()?, name);
        outputs::values(&self.forward, name).or_else(gradient)
    }
}

/// Which variants of a case to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Planner,
    One(Variant),
    All,
}

impl Choice {
    /// The variants to run `operation` with; empty if the chosen one is no candidate.
    pub fn variants(self, device: &Device, operation: &Operation) -> Result<Vec<Option<Variant>>, wgnorm::Error> {
        Ok(match self {
            Self::Planner => vec![None],
            Self::All => device.candidates(operation)?,
            Self::One(variant) => (device.candidates(operation)?.into_iter())
                .filter(|&candidate| candidate.is_none_or(|candidate| candidate == variant))
                .collect(),
        })
    }
}

/// Runs a case in every way asked for, reporting what cannot be run; `done` reports what was.
pub fn run_all(
    device: &Device,
    case: &Case,
    (choice, matrix): (Choice, bool),
    report: &mut Report,
    entry: impl Fn() -> CaseReport,
    mut done: impl FnMut(CaseReport, &Outcomes) -> Result<CaseReport>,
) -> Result<()> {
    for arrangement in Arrangement::ALL {
        if arrangement != Arrangement::Plain && !matrix {
            continue;
        }
        let entry = || CaseReport {
            arrangement: (arrangement != Arrangement::Plain).then(|| arrangement.name()),
            ..entry()
        };
        let variants = || -> Result<_, wgnorm::Error> {
            match device.arranged(case, arrangement)? {
                Some((arranged, device)) => Ok(Some(choice.variants(&device, &arranged.operation()?)?)),
                None => Ok(None),
            }
        };
        let variants = match variants() {
            Ok(Some(variants)) => variants,
            Ok(None) => continue,
            Err(error) => {
                let mut entry = entry();
                record_error(&mut entry, &error);
                report.push(entry);
                continue;
            }
        };
        if variants.is_empty() {
            let mut entry = entry();
            entry.skip("the variant cannot run this case");
            report.push(entry);
        }
        for variant in variants {
            let mut entry = entry();
            entry.variant = variant.map(Variant::name);
            let run = || -> Result<_, wgnorm::Error> {
                Ok(Outcomes {
                    forward: device.run(case, variant, arrangement)?,
                    backward: device.run_backward(case, variant, arrangement)?,
                })
            };
            match run() {
                Ok(outcomes) => {
                    record_run(&mut entry, device, case, &outcomes);
                    entry = done(entry, &outcomes)?;
                }
                // Candidates are those of aligned offsets: a forced variant may be refused at odd ones.
                Err(error) if arrangement != Arrangement::Plain && error.kind() == ErrorKind::Variant => {
                    entry.skip(error.to_string());
                }
                Err(error) => record_error(&mut entry, &error),
            }
            report.push(entry);
        }
    }
    Ok(())
}

impl VerifyArgs {
    pub fn choice(&self) -> Result<Choice> {
        Ok(match self.variant.as_deref() {
            Some("all") => Choice::All,
            Some(name) => Choice::One(name.parse()?),
            None if self.cases.is_some() => Choice::Planner,
            None => Choice::All,
        })
    }
}

pub fn run(args: &VerifyArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let choice = args.choice()?;
    if matches!(choice, Choice::One(_)) && device.is_cpu() {
        return Err(Failure::input("--variant has no meaning for --device cpu"));
    }
    if args.matrix && device.is_cpu() {
        return Err(Failure::input("--matrix has no meaning for --device cpu"));
    }
    let device = device.open()?;
    let report = match &args.cases {
        Some(directory) => conformance::run(args, directory, choice, &device, json.as_ref())?,
        None => {
            let scale = match (args.full, args.smoke) {
                (true, _) => Scale::Full,
                (_, true) => Scale::Smoke,
                _ => Scale::Quick,
            };
            let name = |case: &Case| case.id.clone();
            in_parallel(&device, verify::cases(scale), name, |i, case, report| {
                let case = case.with_dy(i as u64);
                run_case(&device, &case, (choice, args.matrix), report)
            })?
        }
    };
    say!("{}", report.table());
    say!("{}", report::TABLE_CAPTION);
    report.print_summary();
    if let Some(json) = json {
        json.save_json(&report)?;
    }
    if report.failed > 0 {
        return Err(Failure::Mismatch(format!("{} cases failed", report.failed)));
    }
    if args.strict && report.skipped + report.partial > 0 {
        return Err(Failure::Mismatch(format!(
            "{} cases were skipped and {} in part, which --strict refuses",
            report.skipped, report.partial
        )));
    }
    Ok(())
}

/// Runs a built-in case in every way asked for.
pub fn run_case(device: &Device, case: &Case, how: (Choice, bool), report: &mut Report) -> Result<()> {
    let entry = || CaseReport::new(&case.id, case.name());
    run_all(device, case, how, report, entry, |mut entry, outcomes| {
        record_verdict(&mut entry, verify::judge(case, &outcomes.forward));
        if let Some(backward) = &outcomes.backward {
            record_verdict(&mut entry, verify::judge_gradients(case, backward));
        }
        Ok(entry)
    })
}

fn record_verdict(entry: &mut CaseReport, verdict: Verdict) {
    for tensor in &verdict.tensors {
        entry.compared(tensor.name, &tensor.comparison, &tensor.tolerance);
    }
    for failure in verdict.failures {
        entry.fail(failure);
    }
}

/// Notes what ran, and what is wrong whatever the values are.
fn record_run(entry: &mut CaseReport, device: &Device, case: &Case, Outcomes { forward, backward }: &Outcomes) {
    entry.variant = Some(device.variant_name(forward.variant));
    entry.dispatches = forward.dispatches;
    let forward = (forward.bits_stable, forward.stray_writes, forward.dispatches);
    let backward = (backward.as_ref()).map(|run| (run.bits_stable, run.stray_writes, run.dispatches));
    for (pass, run) in [("", Some(forward)), ("backward: ", backward)] {
        let Some((bits_stable, stray_writes, dispatches)) = run else {
            continue;
        };
        if !bits_stable {
            entry.fail(format!(
                "{pass}results depend on what the outputs or the workspace held before"
            ));
        }
        if stray_writes > 0 {
            entry.fail(format!("{pass}{stray_writes} words beside the outputs were changed"));
        }
        if dispatches == 0 && !case.x.is_empty() {
            entry.fail(format!("{pass}nothing was dispatched"));
        }
    }
}

/// What the device is too small for is skipped; any other error is a failure.
fn record_error(entry: &mut CaseReport, error: &wgnorm::Error) {
    if error.is_device_limitation() {
        entry.skip(error.to_string());
    } else {
        entry.fail(error.to_string());
    }
}

/// Runs all items, as many at a time as there are threads, since drivers compile on the thread that asks: into one report, in
/// their order. Through OpenGL one after the other: a device is one context there, for which wgpu waits six seconds and panics,
/// and two threads that compile can keep a third from it for longer.
pub fn in_parallel<T: Send>(
    device: &Device,
    items: Vec<T>,
    name: impl Fn(&T) -> String + Sync,
    run: impl Fn(usize, T, &mut Report) -> Result<()> + Sync,
) -> Result<Report> {
    let bar = bar(items.len());
    let one = |(i, item): (usize, T)| {
        bar.set_message(name(&item));
        let mut report = Report::new(String::new());
        let result = run(i, item, &mut report);
        bar.inc(1);
        result.map(|()| report)
    };
    let reports: Result<Vec<_>> = match device.is_open_gl() {
        true => items.into_iter().enumerate().map(one).collect(),
        false => items.into_par_iter().enumerate().map(one).collect(),
    };
    bar.finish_and_clear();
    let mut all = Report::new(device.describe());
    for case in reports?.into_iter().flat_map(|report| report.cases) {
        all.push(case);
    }
    Ok(all)
}

/// Iterates with a progress bar on a terminal, which names the item at work.
pub fn progress<T>(items: Vec<T>, name: impl Fn(&T) -> String) -> impl Iterator<Item = T> {
    let bar = bar(items.len());
    let mut items = items.into_iter();
    std::iter::from_fn(move || match items.next() {
        Some(item) => {
            bar.set_message(name(&item));
            bar.inc(1);
            Some(item)
        }
        None => {
            bar.finish_and_clear();
            None
        }
    })
}

/// Hides itself where stderr is not a terminal.
fn bar(len: usize) -> ProgressBar {
    let bar = ProgressBar::new(len as u64);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
