//! `wgnorm bench`: GPU against CPU and against a copy, each row verified before it is timed.

pub mod copy;
mod costs;
mod html;
pub mod measure;
pub mod plots;
mod table;
pub mod timing;
mod variants;
pub mod workload;

use clap::Args;
use serde::Serialize;
use wgnorm::Context;

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

#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Smaller tensors and fewer samples: under a minute on two cores.
    #[arg(long)]
    quick: bool,

    /// Only this operation: the default shapes, or the one that --shape gives.
    #[arg(long, value_enum)]
    op: Option<Op>,

    /// Extents in memory order, such as 4096,1024, instead of the default list. Needs --op.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "op")]
    shape: Vec<usize>,

    /// Samples of each time; the median is reported. Default: 9, with --quick 5.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,

    /// Also times every row, and the copy, with nothing of its tensors in a cache: another buffer, as large as the device
    /// binds, is copied before each sample.
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
    html: Option<std::path::PathBuf>,

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
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let device = device.open()?;
    let adapter = device.describe();
    let Device::Gpu(context) = device else {
        return Err(Failure::input(
            "bench compares the GPU with the CPU in one run: --device cpu has nothing to compare with",
        ));
    };
    let workloads = args.workloads(&context);
    // Bytes read and written together: beyond the caches of the usual CPUs.
    let copy = copy::sweep(&context, if args.quick { 32 << 20 } else { 128 << 20 }, runs)?;
    let how = How {
        runs,
        cold: args.cold,
        batch: args.batch.map(|recordings| recordings as usize),
    };
    let rows = measure_all(&context, workloads, &copy, how)?;
    let costs = match args.shape.is_empty() {
        true => Some(Costs::measure(&context, args.quick)?),
        false => None,
    };
    let bench = Bench {
        adapter,
        driver: describe_driver(context.adapter_info()),
        command: command(),
        date,
        machine: Machine::this(),
        copy,
        widths: Widths::of(&rows),
        rows,
        costs,
    };
    bench.print();
    if let Some(json) = json {
        json.save_json(&bench)?;
    }
    if let Some(html) = html {
        html.save(html::page(&bench, &context)?.as_bytes())?;
    }
    Ok(())
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
            workloads.extend(workload::sizes(most.min(workload::largest_tensor(context))));
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
    let copy = copy::sweep(context, 32 << 20, runs)?;
    let how = How {
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
        if let (Some(variant), true) = (workload.settings.variant, several) {
            let operation = workload.case()?.operation()?;
            if !operation.candidates(context)?.contains(&variant) {
                console::note("note", &format!("{variant} cannot run {}", name(&workload)));
                continue;
            }
        }
        rows.push(measurement.row(&workload)?);
    }
    Ok(rows)
}

impl Bench {
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
