//! One row: verified, then timed in turns with the copies and the CPU.

use std::time::Instant;

use serde::Serialize;
use wgnorm::Context;
use wgnorm::verify::{self, Case};

use super::copy::Copy;
use super::timing::{Pass, Timed, Work, median, milliseconds, spread};
use super::workload::{self, List, Workload};
use crate::cpu;
use crate::failure::{Failure, Result};
use crate::machine;
use crate::resident::Resident;
use crate::ulp;

/// Samples of the CPU and of round trips, at most.
const CPU_RUNS: usize = 5;
const ROUND_TRIPS: usize = 3;

/// One row; times in milliseconds, bandwidths in 10^9 bytes a second.
#[derive(Serialize, Debug)]
pub struct Row {
    pub list: List,
    pub op: &'static str,
    pub direction: &'static str,
    pub layout: &'static str,
    pub shape: Vec<usize>,
    pub dtype: &'static str,
    pub variant: &'static str,
    /// By timestamps on the device.
    pub kernel_ms: Option<f64>,
    /// The same of the reference copy.
    pub copy_kernel_ms: Option<f64>,
    /// Submit to complete, per run of `recordings` in one submission.
    pub gpu_ms: f64,
    pub round_trip_ms: f64,
    pub cpu_ms: f64,
    pub bytes: u64,
    pub gbps: f64,
    pub copy_gbps: f64,
    pub of_copy: f64,
    /// The fastest shader of the sweep of copies, at the same byte volume, in turns with this row.
    pub best_gbps: f64,
    pub of_best: f64,
    pub speedup_vs_cpu: f64,
    pub max_abs_err: f64,
    pub max_ulp: f64,
    pub runs: usize,
    pub recordings: usize,
    pub spread: f64,
    pub cpu_spread: f64,
    /// Where repeats find their data.
    pub cache: Cache,
    /// Nothing of the tensors in a cache; null unless asked for.
    pub cold: Option<Cold>,
    /// Many runs in one pass; null unless asked for.
    pub batch: Option<Batch>,
}

/// Where repeats on the same buffers find their data.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// x and y fit the last level of cache.
    Warm,
    /// x and y together are larger than the last level of cache.
    Cold,
    /// The size of the device's caches is not known.
    Unknown,
}

impl Cache {
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Unknown => "?",
        }
    }

    fn of(context: &Context, bytes: u64) -> Self {
        match machine::cache_of(context) {
            Some(cache) if bytes > cache => Self::Cold,
            Some(_) => Self::Warm,
            None => Self::Unknown,
        }
    }
}

/// Single runs, submit to complete, each after the caches were filled with something else.
#[derive(Serialize, Debug)]
pub struct Cold {
    pub gpu_ms: f64,
    /// By timestamps on the device.
    pub kernel_ms: Option<f64>,
    pub copy_kernel_ms: Option<f64>,
    pub gbps: f64,
    pub copy_gbps: f64,
    pub of_copy: f64,
    pub spread: f64,
}

/// Medians of runs that were recorded into one pass of one encoder, in microseconds a run.
#[derive(Serialize, Debug)]
pub struct Batch {
    pub recordings: usize,
    pub record_us: f64,
    /// Submit to complete.
    pub gpu_us: f64,
    /// By timestamps on the device.
    pub kernel_us: Option<f64>,
}

impl Batch {
    fn measure(context: &Context, work: &dyn Work, recordings: usize, samples: usize) -> Result<Self> {
        Pass::time(context, work, recordings)?;
        let passes = (0..samples).map(|_| Pass::time(context, work, recordings));
        let passes = passes.collect::<Result<Vec<_>>>()?;
        let each = |times: Vec<f64>| 1e3 * median(&times) / recordings as f64;
        let kernel: Vec<_> = passes.iter().filter_map(|pass| pass.kernel_ms).collect();
        Ok(Self {
            recordings,
            record_us: each(passes.iter().map(|pass| pass.record_ms).collect()),
            gpu_us: each(passes.iter().map(|pass| pass.gpu_ms).collect()),
            kernel_us: (!kernel.is_empty()).then(|| each(kernel)),
        })
    }
}

/// How rows are measured.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub runs: usize,
    /// Once more with nothing of the tensors in a cache.
    pub cold: bool,
    /// Once more with so many recordings in one pass.
    pub batch: Option<usize>,
}

/// What all rows of a run have in common.
pub struct Measurement<'a> {
    context: &'a Context,
    best_copy: &'a str,
    how: How,
    eviction: Option<Copy>,
}

impl<'a> Measurement<'a> {
    pub fn new(context: &'a Context, best_copy: &'a str, how: How) -> Result<Self> {
        Ok(Self {
            context,
            best_copy,
            how,
            eviction: match how.cold {
                true => Some(Copy::evicting(context)?),
                false => None,
            },
        })
    }

    pub fn row(&self, workload: &Workload) -> Result<Row> {
        let (context, runs) = (self.context, self.how.runs);
        workload.check(context)?;
        let case = workload.case()?;
        let mut operation = case.operation()?;
        operation.variant = workload.settings.variant;
        operation.statistics = false;
        let resident = Resident::new(context, &operation, &case)?;
        let errors = verified(context, &case, &resident)?;

        let bytes = workload::bytes(&operation, &case);
        let copies = [
            Copy::reference(context, bytes)?,
            Copy::named(context, self.best_copy, bytes)?,
        ];
        let mut kernel = Timed::new(context, resident.bound())?;
        let mut reference = Timed::new(context, &copies[0])?;
        let mut best = Timed::new(context, &copies[1])?;
        let mut output = cpu::Output::poisoned(&operation, &case, 0.0);
        let (mut cpu, mut round_trips) = (Vec::new(), Vec::new());
        for run in 0..runs {
            kernel.sample()?;
            reference.sample()?;
            best.sample()?;
            kernel.sample_kernel()?;
            reference.sample_kernel()?;
            if let Some(eviction) = &self.eviction {
                kernel.sample_cold(eviction)?;
                reference.sample_cold(eviction)?;
            }
            if run < CPU_RUNS {
                cpu.push(second_time(|| Ok(cpu::run_into(&operation, &case, &mut output)?))?);
            }
            if run < ROUND_TRIPS {
                round_trips.push(second_time(|| {
                    resident.upload(&case);
                    resident.submit();
                    resident.read_y(&case).map(drop)
                })?);
            }
        }

        let gbps = |samples: &[f64]| bytes as f64 / median(samples) * 1e-6;
        let [copy_gbps, best_gbps] = [&reference, &best].map(|timed| gbps_of(timed.samples(), copies[0].bytes()));
        let cold = self.eviction.as_ref().map(|_| {
            let copy_gbps = gbps_of(reference.cold_samples(), copies[0].bytes());
            Cold {
                gpu_ms: median(kernel.cold_samples()),
                kernel_ms: kernel.cold_kernel_ms(),
                copy_kernel_ms: reference.cold_kernel_ms(),
                gbps: gbps(kernel.cold_samples()),
                copy_gbps,
                of_copy: gbps(kernel.cold_samples()) / copy_gbps,
                spread: spread(kernel.cold_samples()),
            }
        });
        let batch = (self.how.batch)
            .map(|recordings| Batch::measure(context, resident.bound(), recordings, runs))
            .transpose()?;
        let (gpu_ms, cpu_ms) = (median(kernel.samples()), median(&cpu));
        let gbps = gbps(kernel.samples());
        Ok(Row {
            list: workload.list,
            op: operation.name,
            direction: "forward",
            layout: workload.layout(),
            shape: case.shape.clone(),
            dtype: "f32",
            variant: resident.plan().variant().map_or("none", |variant| variant.name()),
            kernel_ms: kernel.kernel_ms(),
            copy_kernel_ms: reference.kernel_ms(),
            gpu_ms,
            round_trip_ms: median(&round_trips),
            cpu_ms,
            bytes,
            gbps,
            copy_gbps,
            of_copy: gbps / copy_gbps,
            best_gbps,
            of_best: gbps / best_gbps,
            speedup_vs_cpu: cpu_ms / gpu_ms,
            max_abs_err: errors.max_abs_err,
            max_ulp: errors.max_ulp,
            runs,
            recordings: kernel.recordings(),
            spread: spread(kernel.samples()),
            cpu_spread: spread(&cpu),
            cache: Cache::of(context, bytes),
            cold,
            batch,
        })
    }
}

fn gbps_of(samples: &[f64], bytes: u64) -> f64 {
    bytes as f64 / median(samples) * 1e-6
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

/// Milliseconds of `work`, after a run that does not count: what came before has filled the caches with its own.
fn second_time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let start = Instant::now();
    work()?;
    Ok(milliseconds(start))
}
