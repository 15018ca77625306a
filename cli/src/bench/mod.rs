//! `wgnorm bench`: GPU against CPU and against a copy, each row verified before it is timed.

mod cases;
pub mod check;
pub mod copy;
mod costs;
mod eviction;
mod html;
pub mod measure;
pub mod plots;
mod split;
mod table;
pub mod timing;
mod variants;
pub mod workload;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use wgnorm::{Context, Variant};

use crate::console::{self, say};
use crate::device::{Device, DeviceArgs, describe_driver};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::machine::Machine;
use crate::operation::{Op, Settings};
use crate::verify::progress;
use copy::Sweep;
use costs::Costs;
use measure::{How, Measurement, Row};
use table::Widths;
use workload::{List, Workload};

pub use table::{TABLE_CAPTION, table};

/// Bytes of the largest tensors whose bandwidth is plotted against their size: the f64 reference of each is computed.
const LARGEST_SIZE: u64 = 128 << 20;

/// Which pass is measured.
#[derive(ValueEnum, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// y.
    Forward,
    /// dx, and dweight and dbias where there is a weight or a bias, from x, dy and the statistics that a forward run saved.
    Backward,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        })
    }
}

#[derive(Args, Debug)]
pub struct BenchArgs {
    /// The pass that is measured.
    #[arg(long, value_enum, default_value_t = Direction::Forward)]
    direction: Direction,

    /// Smaller tensors and fewer samples: under a minute on two cores.
    #[arg(long)]
    quick: bool,

    /// Only this operation: the default shapes, or the one that --shape gives.
    #[arg(long, value_enum)]
    op: Option<Op>,

    /// Extents in memory order, such as 4096,1024, instead of the default list. Needs --op.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "op")]
    shape: Vec<usize>,

    /// Measures the rows of this file instead: an operation, its extents and its flags a line, as
    /// `group 8,64,64,64 --groups 8`. One that fails does not end the run.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["op", "shape", "sweep", "html", "Settings"])]
    cases: Option<PathBuf>,

    /// Writes the row of each case to a file of its own in this folder as soon as it is measured.
    #[arg(long, value_name = "DIR", requires = "cases")]
    json_dir: Option<PathBuf>,

    /// Samples of each time; the median is reported. Default: 9, with --quick 5.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,

    /// Also times every row, and the copies, with nothing of its tensors in a cache: another buffer, larger than the
    /// caches, is copied before each sample.
    #[arg(long)]
    cold: bool,

    /// Also times N runs of every row in one pass of one encoder: what a run costs where many follow each other.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// Also measures every operation over sizes from 16 KiB to 128 MiB a tensor, or what the device binds at most. --html
    /// does so by itself, unless --shape is given.
    #[arg(long, conflicts_with = "shape")]
    sweep: bool,

    /// Writes a report with plots to this file: one page of HTML that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// All that a run has found; written as JSON.
#[derive(Serialize, Debug)]
pub struct Bench {
    adapter: String,
    driver: String,
    command: String,
    /// When the run began, UTC.
    date: String,
    machine: Machine,
    direction: Direction,
    copy: Sweep,
    rows: Vec<Row>,
    widths: Option<Widths>,
    costs: Option<Costs>,
}

pub fn run(args: &BenchArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let runs = args.runs.unwrap_or(if args.quick { 5 } else { 9 }) as usize;
    let html = args.html.as_deref().map(Output::create).transpose()?;
    if let (Some(html), Some(json)) = (&html, &json) {
        html.refuse_replacing([json.path()])?;
    }
    args.check()?;
    let listed = args.cases.as_deref().map(cases::read).transpose()?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let device = device.open()?;
    let adapter = device.describe();
    let Device::Gpu(context) = device else {
        return Err(Failure::input(
            "bench compares the GPU with the CPU in one run: --device cpu has nothing to compare with",
        ));
    };
    let how = How {
        direction: args.direction,
        runs,
        cold: args.cold,
        batch: args.batch.map(|recordings| recordings as usize),
    };
    let mut bench = Bench {
        adapter,
        driver: describe_driver(context.adapter_info()),
        command: command(),
        date,
        machine: Machine::this(),
        direction: args.direction,
        copy: copy::sweep(&context, sweep_bytes(&context, args.quick), runs)?,
        rows: Vec::new(),
        widths: None,
        costs: None,
    };
    let measured = match listed {
        Some(listed) => cases::measure(&mut bench, &context, listed, how, args.json_dir.as_deref()),
        None => args.measure(&mut bench, &context, how),
    };
    // What was measured is told though a case has failed.
    if args.cases.is_none() {
        measured?;
        bench.report(json)?;
        return match html {
            Some(html) => html.save(html::page(&bench, &context)?.as_bytes()),
            None => Ok(()),
        };
    }
    bench.report(json)?;
    measured
}

/// Bytes that the copies of the sweep read and write together: beyond the caches of the usual devices.
fn sweep_bytes(context: &Context, quick: bool) -> u64 {
    let bytes = match (context.traits().software, quick) {
        (true, true) => 32 << 20,
        (true, false) => 128 << 20,
        (false, _) => 512 << 20,
    };
    let binding = context.device().limits().max_storage_buffer_binding_size;
    bytes.min(2 * (binding - binding % 64))
}

/// The command line that this run was started with.
pub fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("wgnorm".into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

impl BenchArgs {
    /// Refuses settings that the default shapes would not take.
    fn check(&self) -> Result<()> {
        let free = Settings {
            variant: self.settings.variant,
            ..Settings::default()
        };
        if self.shape.is_empty() && self.settings != free {
            return Err(Failure::input(
                "the default shapes have their own settings; give --op and --shape with others",
            ));
        }
        Ok(())
    }

    fn measure(&self, bench: &mut Bench, context: &Context, how: How) -> Result<()> {
        bench.rows = measure_all(context, self.workloads(context), &bench.copy, how)?;
        bench.widths = Widths::of(&bench.rows);
        // Those of the forward pass.
        if self.shape.is_empty() && self.direction == Direction::Forward {
            bench.costs = Some(Costs::measure(context, self.quick)?);
        }
        Ok(())
    }

    /// Bytes of a tensor that a copy of all bytes moved can be compared with, those of its parameters too.
    fn largest_tensor(&self, context: &Context) -> u64 {
        let most = workload::largest_tensor(context) - (64 << 10);
        match self.direction {
            Direction::Forward => most,
            Direction::Backward => most / 3 * 2,
        }
    }

    fn workloads(&self, context: &Context) -> Vec<Workload> {
        if let (Some(op), [_, ..]) = (self.op, self.shape.as_slice()) {
            return vec![Workload {
                settings: self.settings.clone(),
                ..Workload::new(op, &self.shape)
            }];
        }
        let mut workloads = workload::defaults(self.quick);
        workloads.extend(workload::widths(self.quick));
        if self.sweep || self.html.is_some() {
            let most = if self.quick { 4 << 20 } else { LARGEST_SIZE };
            workloads.extend(workload::sizes(most.min(self.largest_tensor(context))));
        }
        workloads.retain(|workload| self.op.is_none_or(|op| op == workload.op));
        for workload in &mut workloads {
            workload.settings.variant = self.settings.variant;
        }
        workloads
    }
}

/// Measures the demonstration's rows.
pub fn demonstrate(context: &Context, runs: usize) -> Result<Vec<Row>> {
    let copy = copy::sweep(context, sweep_bytes(context, true), runs)?;
    let how = How {
        direction: Direction::Forward,
        runs,
        cold: false,
        batch: None,
    };
    measure_all(context, workload::demonstration(), &copy, how)
}

/// Measures every row. With a forced variant, rows that it cannot run are left out, saying so.
fn measure_all(context: &Context, workloads: Vec<Workload>, copy: &Sweep, how: How) -> Result<Vec<Row>> {
    let several = workloads.len() > 1;
    let measurement = Measurement::new(context, copy.best, how)?;
    let name = |workload: &Workload| format!("{} {:?}", workload.op.name(), workload.shape);
    let mut rows = Vec::new();
    for workload in progress(workloads, name) {
        if let (Some(variant), true) = (workload.settings.variant, several)
            && !candidates(context, &workload, how.direction)?.contains(&variant)
        {
            console::note("note", &format!("{variant} cannot run {}", name(&workload)));
            continue;
        }
        rows.push(measurement.row(&workload)?);
    }
    Ok(rows)
}

/// The variants that can run a row.
fn candidates(context: &Context, workload: &Workload, direction: Direction) -> Result<Vec<Variant>> {
    let case = workload.case(direction)?;
    let operation = case.operation()?;
    Ok(match direction {
        Direction::Forward => operation.candidates(context)?,
        Direction::Backward => operation.backward_candidates(context, case.gradients())?,
    })
}

impl Bench {
    fn report(&self, json: Option<Output>) -> Result<()> {
        self.print();
        json.map_or(Ok(()), |json| json.save_json(self))
    }

    fn print(&self) {
        say!("adapter  {}", self.adapter);
        say!("machine  {}", self.machine);
        say!("command  {}", self.command);
        let shapes = self.list(List::Shapes);
        if !shapes.is_empty() {
            say!("{}", table(&shapes));
        }
        let sizes = self.list(List::Sizes);
        if !sizes.is_empty() {
            say!("\nBandwidth against size:\n{}", table(&sizes));
        }
        say!("{TABLE_CAPTION}");
        if let Some(widths) = &self.widths {
            say!("{widths}");
        }
        say!("{}", self.copy);
        if let Some(costs) = &self.costs {
            say!("\n{costs}");
        }
    }

    /// The rows of one list.
    fn list(&self, list: List) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.list == list).collect()
    }
}
