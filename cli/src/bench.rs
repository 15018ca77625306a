//! `wgnorm bench`: GPU against CPU and against a copy, each row verified before it is timed.

use std::time::Instant;

use clap::Args;
use comfy_table::Table;
use serde::Serialize;
use wgnorm::Context;
use wgnorm::verify::{self, Case};

use crate::console::{self, say};
use crate::copy::{self, Copy, Sweep};
use crate::cpu;
use crate::device::{Device, DeviceArgs, describe_driver};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::operation::{Op, Settings};
use crate::report;
use crate::resident::Resident;
use crate::timing::{Timed, kernel_ms, median, milliseconds, spread};
use crate::ulp;
use crate::verify::progress;
use crate::workload::{self, Workload};

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

    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize, Debug)]
pub struct Bench {
    adapter: String,
    driver: String,
    command: String,
    copy: Sweep,
    rows: Vec<Row>,
}

/// One row; times in milliseconds, bandwidths in 10^9 bytes a second.
#[derive(Serialize, Debug)]
pub struct Row {
    op: &'static str,
    direction: &'static str,
    layout: &'static str,
    shape: Vec<usize>,
    dtype: &'static str,
    variant: &'static str,
    kernel_ms: Option<f64>,
    gpu_ms: f64,
    round_trip_ms: f64,
    cpu_ms: f64,
    bytes: u64,
    gbps: f64,
    copy_gbps: f64,
    of_copy: f64,
    speedup_vs_cpu: f64,
    max_abs_err: f64,
    max_ulp: f64,
    runs: usize,
    spread: f64,
}

pub fn run(args: &BenchArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let runs = args.runs.unwrap_or(if args.quick { 5 } else { 9 }) as usize;
    let workloads = args.workloads()?;
    let device = device.open()?;
    let adapter = device.describe();
    let Device::Gpu(context) = device else {
        return Err(Failure::input(
            "bench compares the GPU with the CPU in one run: --device cpu has nothing to compare with",
        ));
    };
    let rows = measure_all(&context, workloads, runs)?;
    // Bytes read and written together: beyond the caches of the usual CPUs.
    let sweep_bytes = if args.quick { 32 << 20 } else { 128 << 20 };
    let copy = copy::sweep(&context, sweep_bytes, runs)?;
    say!("adapter  {adapter}");
    say!("command  {}", command());
    say!("{}", table(&rows));
    say!("{TABLE_CAPTION}");
    let shaders: Vec<_> = copy
        .shaders
        .iter()
        .map(|(name, gbps)| format!("{name} {gbps:.1}"))
        .collect();
    say!(
        "copy of {} MiB, GB/s: reference {:.1}, best {:.1}, buffer to buffer {:.1} ({})",
        sweep_bytes >> 20,
        copy.reference_gbps,
        copy.best_gbps,
        copy.buffer_gbps,
        shaders.join(", ")
    );
    if let Some(json) = json {
        json.save_json(&Bench {
            adapter,
            driver: describe_driver(context.adapter_info()),
            command: command(),
            copy,
            rows,
        })?;
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
    fn workloads(&self) -> Result<Vec<Workload>> {
        let mut workloads = match (self.op, self.shape.as_slice()) {
            (Some(op), [_, ..]) => vec![Workload {
                op,
                shape: self.shape.clone(),
                settings: self.settings.clone(),
                evaluation: false,
            }],
            _ => workload::defaults(self.quick),
        };
        if self.shape.is_empty() {
            let free = Settings {
                variant: self.settings.variant,
                ..Settings::default()
            };
            if self.settings != free {
                return Err(Failure::input(
                    "the default shapes have their own settings; give --op and --shape with others",
                ));
            }
            workloads.retain(|workload| self.op.is_none_or(|op| op == workload.op));
            for workload in &mut workloads {
                workload.settings.variant = self.settings.variant;
            }
        }
        Ok(workloads)
    }
}

/// Measures every row. With a forced variant, rows that it cannot run are left out, saying so.
pub fn measure_all(context: &Context, workloads: Vec<Workload>, runs: usize) -> Result<Vec<Row>> {
    let several = workloads.len() > 1;
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
        rows.push(measure(context, &workload, runs)?);
    }
    Ok(rows)
}

fn measure(context: &Context, workload: &Workload, runs: usize) -> Result<Row> {
    workload.check(context)?;
    let case = workload.case()?;
    let mut operation = case.operation()?;
    operation.variant = workload.settings.variant;
    operation.statistics = false;
    let resident = Resident::new(context, &operation, &case)?;
    let errors = verified(context, &case, &resident)?;

    let bytes = workload::bytes(&operation, &case);
    let copy = Copy::reference(context, bytes)?;
    let mut kernel = Timed::new(context, resident.bound())?;
    let mut reference = Timed::new(context, &copy)?;
    let mut kernel_samples = Vec::new();
    for _ in 0..runs {
        kernel.sample()?;
        reference.sample()?;
        kernel_samples.extend(kernel_ms(context, resident.bound(), kernel.recordings())?);
    }
    let round_trips = samples(runs.min(3), || {
        resident.upload(&case);
        resident.submit();
        resident.read_y(&case).map(drop)
    })?;
    let cpu = samples(runs.min(5), || Ok(cpu::run(&operation, &case, 0.0).map(drop)?))?;

    let gpu_ms = median(kernel.samples());
    let cpu_ms = median(&cpu);
    let gbps = bytes as f64 / gpu_ms * 1e-6;
    let copy_gbps = copy.gbps(reference.samples());
    Ok(Row {
        op: operation.name,
        direction: "forward",
        layout: workload.layout(),
        shape: case.shape.clone(),
        dtype: "f32",
        variant: resident.plan().variant().map_or("none", |variant| variant.name()),
        kernel_ms: (!kernel_samples.is_empty()).then(|| median(&kernel_samples)),
        gpu_ms,
        round_trip_ms: median(&round_trips),
        cpu_ms,
        bytes,
        gbps,
        copy_gbps,
        of_copy: gbps / copy_gbps,
        speedup_vs_cpu: cpu_ms / gpu_ms,
        max_abs_err: errors.max_abs_err,
        max_ulp: errors.max_ulp,
        runs,
        spread: spread(kernel.samples()),
    })
}

pub struct Errors {
    max_abs_err: f64,
    max_ulp: f64,
}

/// Compares the case under poisoning, and y of the very buffers that are timed, with the oracle.
pub fn verified(context: &Context, case: &Case, resident: &Resident) -> Result<Errors> {
    let mismatch = |what: &str| Failure::Mismatch(format!("{} {:?}: {what}; not timed", case.name(), case.shape));
    let operation = resident.plan().operation();
    let mut outcome = pollster::block_on(verify::run(context, case, operation.variant))?;
    let verdict = verify::judge(case, &outcome);
    if !verdict.passed() {
        return Err(mismatch(&verdict.failures.join("; ")));
    }
    resident.submit();
    outcome.y = resident.read_y(case)?;
    let verdict = verify::judge(case, &outcome);
    if !verdict.passed() {
        return Err(mismatch(&verdict.failures.join("; ")));
    }
    let expected = case.expected();
    let errors = outcome
        .y
        .iter()
        .zip(&expected.y)
        .map(|(&y, reference)| (f64::from(y) - reference).abs());
    Ok(Errors {
        max_abs_err: errors.fold(0.0, f64::max),
        max_ulp: ulp::largest(operation, case, &expected.y, &outcome.y),
    })
}

/// Times `work` a number of times, after one run that does not count.
fn samples(runs: usize, mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    work()?;
    let mut timed = || {
        let start = Instant::now();
        work()?;
        Ok(milliseconds(start))
    };
    (0..runs).map(|_| timed()).collect()
}

/// Explains the numbers of [`table`].
pub const TABLE_CAPTION: &str = "GPU: submit to complete, buffers resident; round trip: with upload and readback; GB/s: each input read once, each \
     output written once; of copy: GB/s over those of a copy of the same bytes in the same run; ULP at \
     max(|y|, |weight| + |bias|)";

pub fn table(rows: &[Row]) -> Table {
    let mut table = report::table(
        &[
            "operation",
            "layout",
            "shape",
            "variant",
            "GPU ms",
            "GB/s",
            "of copy",
            "round trip ms",
            "CPU ms",
            "CPU/GPU",
            "max ULP",
        ],
        4,
    );
    for row in rows {
        let shape: Vec<_> = row.shape.iter().map(usize::to_string).collect();
        table.add_row([
            row.op.to_owned(),
            row.layout.to_owned(),
            shape.join("x"),
            row.variant.to_owned(),
            format!("{:.3}", row.gpu_ms),
            format!("{:.2}", row.gbps),
            format!("{:.2}", row.of_copy),
            format!("{:.2}", row.round_trip_ms),
            format!("{:.2}", row.cpu_ms),
            format!("{:.2}", row.speedup_vs_cpu),
            format!("{:.2}", row.max_ulp),
        ]);
    }
    table
}
