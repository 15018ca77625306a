//! What a call costs beside its kernels: planning, binding, recording, compiling, and the latency of tiny tensors.

use std::fmt;
use std::time::Instant;

use serde::Serialize;
use wgnorm::{Context, wgpu};

use super::Direction;
use super::table::shape;
use super::timing::{Work, median, milliseconds, submission_ms};
use super::workload::Workload;
use crate::cpu;
use crate::failure::Result;
use crate::operation::Op;
use crate::report;
use crate::resident::{Resident, wait};

/// Calls between two readings of the clock, and readings.
const BATCH: usize = 32;
const SAMPLES: usize = 25;

#[derive(Serialize, Debug)]
pub struct Costs {
    pub calls: Vec<Call>,
    /// Submit to complete of no work at all.
    pub empty_submit_us: f64,
    pub latencies: Vec<Latency>,
}

/// Medians for one operation, in microseconds unless they say otherwise.
#[derive(Serialize, Debug)]
pub struct Call {
    pub op: &'static str,
    pub shape: Vec<usize>,
    pub dispatches: usize,
    /// Planning with pipelines that the context has.
    pub plan_us: f64,
    pub bind_us: f64,
    /// `Bound::record`: a compute pass of its own.
    pub record_us: f64,
    /// `Bound::record_in`: into a pass that is there.
    pub record_in_us: f64,
    /// `CommandEncoder::finish`, per recording of several: where wgpu translates what was recorded.
    pub finish_us: f64,
    /// Planning in a context without pipelines: shaders are made, parsed and handed to the driver, whose own cache may know
    /// them.
    pub pipelines_ms: f64,
    /// The first run of those pipelines, which some drivers compile only then, less a later one.
    pub first_run_ms: f64,
}

/// One small tensor, medians in microseconds.
#[derive(Serialize, Debug)]
pub struct Latency {
    pub op: &'static str,
    pub shape: Vec<usize>,
    /// Submit to complete of one run.
    pub gpu_us: f64,
    /// Record, submit, complete.
    pub call_us: f64,
    /// With upload and readback.
    pub round_trip_us: f64,
    pub cpu_us: f64,
}

/// No work.
struct Nothing;

impl Work for Nothing {
    fn record(&self, _: &mut wgpu::CommandEncoder) {}

    fn record_in(&self, _: &mut wgpu::ComputePass<'_>) -> bool {
        false
    }
}

impl Costs {
    pub fn measure(context: &Context, quick: bool) -> Result<Self> {
        let mut workloads = vec![
            Workload::new(Op::Layer, &[4096, 1024]),
            Workload::new(Op::Layer, &[16, 262_144]),
            Workload::new(Op::Batch, &[16, 64, 56, 56]),
            Workload::new(Op::Group, &[8, 64, 64, 64]).groups(8),
        ];
        if quick {
            workloads.truncate(2);
        }
        let tiny: [&[usize]; 4] = [&[1, 64], &[1, 1024], &[32, 768], &[128, 1024]];
        let empty = (0..SAMPLES).map(|_| submission_ms(context, &Nothing, 1));
        Ok(Self {
            empty_submit_us: 1e3 * median(&empty.collect::<Result<Vec<_>>>()?),
            calls: (workloads.iter())
                .map(|workload| Call::measure(context, workload))
                .collect::<Result<_>>()?,
            latencies: (tiny.into_iter())
                .map(|shape| Latency::measure(context, &Workload::new(Op::Layer, shape)))
                .collect::<Result<_>>()?,
        })
    }
}

impl Call {
    fn measure(context: &Context, workload: &Workload) -> Result<Self> {
        let case = workload.case(Direction::Forward)?;
        let mut operation = case.operation()?;
        operation.statistics = false;

        // The same device and queue, without the pipelines made so far.
        let fresh = Context::new(context.device(), context.queue());
        let start = Instant::now();
        operation.plan(&fresh)?;
        let pipelines_ms = milliseconds(start);
        let resident = Resident::new(&fresh, &operation, &case)?;
        wait(fresh.device())?;
        let first = submission_ms(&fresh, resident.bound(), 1)?;
        let later = (0..3).map(|_| submission_ms(&fresh, resident.bound(), 1));
        let first_run_ms = first - median(&later.collect::<Result<Vec<_>>>()?);

        let plan_us = per_call(|| operation.plan(&fresh).map(drop).map_err(Into::into))?;
        let bind_us = per_call(|| resident.bind().map(drop))?;
        let bound = resident.bound();
        let (mut record, mut finish, mut record_in) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            let mut encoder = fresh.device().create_command_encoder(&Default::default());
            record.push(microseconds(|| bound.record(&mut encoder)));
            finish.push(once(|| drop(encoder.finish())) / BATCH as f64);
            let mut encoder = fresh.device().create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            record_in.push(microseconds(|| bound.record_in(&mut pass)));
        }
        Ok(Self {
            op: operation.name,
            shape: case.shape.clone(),
            dispatches: resident.dispatches(),
            plan_us,
            bind_us,
            record_us: median(&record),
            record_in_us: median(&record_in),
            finish_us: median(&finish),
            pipelines_ms,
            first_run_ms,
        })
    }
}

impl Latency {
    fn measure(context: &Context, workload: &Workload) -> Result<Self> {
        let case = workload.case(Direction::Forward)?;
        let mut operation = case.operation()?;
        operation.statistics = false;
        let resident = Resident::new(context, &operation, &case)?;
        let mut output = cpu::Output::poisoned(&operation, &case, 0.0);
        let (mut gpu, mut call, mut trip, mut on_cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        submission_ms(context, resident.bound(), 1)?;
        for _ in 0..SAMPLES {
            gpu.push(1e3 * submission_ms(context, resident.bound(), 1)?);
            call.push(timed(|| {
                resident.submit();
                wait(context.device())
            })?);
            trip.push(timed(|| {
                resident.upload(&case);
                resident.submit();
                resident.read_results(&case)
            })?);
            on_cpu.push(timed(|| Ok(cpu::run_into(&operation, &case, &mut output)?))?);
        }
        Ok(Self {
            op: operation.name,
            shape: case.shape.clone(),
            gpu_us: median(&gpu),
            call_us: median(&call),
            round_trip_us: median(&trip),
            cpu_us: median(&on_cpu),
        })
    }
}

/// The median over samples of microseconds per call, after one sample that does not count.
fn per_call(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut samples = Vec::new();
    for _ in 0..=SAMPLES {
        let sample = timed(|| (0..BATCH).try_for_each(|_| call()))?;
        samples.push(sample / BATCH as f64);
    }
    Ok(median(&samples[1..]))
}

/// Microseconds per call of a batch.
fn microseconds(mut call: impl FnMut()) -> f64 {
    once(|| (0..BATCH).for_each(|_| call())) / BATCH as f64
}

fn once(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    1e3 * milliseconds(start)
}

fn timed(call: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    call()?;
    Ok(1e3 * milliseconds(start))
}

/// Explains the numbers of [`Costs`].
pub const CAPTION: &str = "\
plan: with pipelines that the context has; record: in a pass of its own; record in: in a pass that is there; finish: of the
encoder, per recording; pipelines: planning in a context that has none; first run: what it takes beyond a later one";

pub const CALL_HEADER: [&str; 10] = [
    "operation",
    "shape",
    "dispatches",
    "plan us",
    "bind us",
    "record us",
    "record in us",
    "finish us",
    "pipelines ms",
    "first run ms",
];

pub const LATENCY_HEADER: [&str; 6] = [
    "operation",
    "shape",
    "submit to complete us",
    "record to complete us",
    "round trip us",
    "CPU us",
];

impl Call {
    pub fn cells(&self) -> [String; 10] {
        [
            self.op.to_owned(),
            shape(&self.shape),
            self.dispatches.to_string(),
            format!("{:.1}", self.plan_us),
            format!("{:.1}", self.bind_us),
            format!("{:.2}", self.record_us),
            format!("{:.2}", self.record_in_us),
            format!("{:.2}", self.finish_us),
            format!("{:.1}", self.pipelines_ms),
            format!("{:.1}", self.first_run_ms),
        ]
    }
}

impl Latency {
    pub fn cells(&self) -> [String; 6] {
        let times = [self.gpu_us, self.call_us, self.round_trip_us, self.cpu_us];
        let [gpu, call, trip, cpu] = times.map(|us| format!("{us:.0}"));
        [self.op.to_owned(), shape(&self.shape), gpu, call, trip, cpu]
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls = report::table(&CALL_HEADER, 2);
        calls.add_rows(self.calls.iter().map(Call::cells));
        let mut latencies = report::table(&LATENCY_HEADER, 2);
        latencies.add_rows(self.latencies.iter().map(Latency::cells));
        write!(
            f,
            "Costs of a call, medians:\n{calls}\n{CAPTION}\n\nLatency of small tensors, medians; submitting nothing takes {:.0} \
             us:\n{latencies}",
            self.empty_submit_us
        )
    }
}
