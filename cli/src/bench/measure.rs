//! One row: verified, then timed in turns with the copies, and then on the CPU.

use std::time::Instant;

use serde::Serialize;
use wgnorm::Context;
use wgnorm::spec::Operation;
use wgnorm::verify::Case;

use super::Direction;
use super::check::verified;
use super::copy::Copy;
use super::eviction::Eviction;
use super::timing::{Pass, Timed, Work, median, milliseconds, spread};
use super::workload::{self, List, Workload};
use crate::cpu;
use crate::failure::Result;
use crate::machine;
use crate::resident::Resident;

/// Samples of the CPU and of round trips, at most.
const CPU_RUNS: usize = 5;
const ROUND_TRIPS: usize = 3;
/// Bytes moved by a row from which on there is one round trip and there are fewer samples of the CPU.
const LARGE: u64 = 64 << 20;
const LARGE_RUNS: usize = 3;

/// One row; times in milliseconds, bandwidths in 10^9 bytes a second.
#[derive(Serialize, Debug)]
pub struct Row {
    pub list: List,
    pub op: &'static str,
    pub direction: Direction,
    pub layout: &'static str,
    pub shape: Vec<usize>,
    pub dtype: &'static str,
    pub variant: &'static str,
    /// By timestamps on the device.
    pub kernel_ms: Option<f64>,
    /// The same of the reference copy.
    pub copy_kernel_ms: Option<f64>,
    /// The same of the best copy.
    pub best_copy_kernel_ms: Option<f64>,
    /// Submit to complete, per run of `recordings` in one submission.
    pub gpu_ms: f64,
    pub round_trip_ms: f64,
    pub cpu_ms: f64,
    pub bytes: u64,
    pub gbps: f64,
    pub copy_gbps: f64,
    pub of_copy: f64,
    /// The fastest shader of the sweep of copies: its name, and its bandwidth at the same byte volume, in turns with this
    /// row.
    pub best_copy: &'static str,
    pub best_gbps: f64,
    pub of_best: f64,
    pub speedup_vs_cpu: f64,
    pub max_abs_err: f64,
    /// Of y; null backward.
    pub max_ulp: Option<f64>,
    /// Runs over poison that were compared with the reference: the last over NaN in the buffers that are timed, two before
    /// it, over different poisons in buffers with guards, where the tensors are small.
    pub poisoned_runs: u32,
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

/// Single runs, each after the caches were filled with something else.
#[derive(Serialize, Debug)]
pub struct Cold {
    /// Submit to complete, of runs submitted to an idle device.
    pub gpu_ms: f64,
    /// By timestamps on the device, of runs submitted together with the copies before them.
    pub kernel_ms: Option<f64>,
    /// The same of the reference copy.
    pub copy_kernel_ms: Option<f64>,
    /// The same of the best copy.
    pub best_kernel_ms: Option<f64>,
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
    pub direction: Direction,
    pub runs: usize,
    /// Once more with nothing of the tensors in a cache.
    pub cold: bool,
    /// Once more with so many recordings in one pass.
    pub batch: Option<usize>,
}

/// What all rows of a run have in common.
pub struct Measurement<'a> {
    context: &'a Context,
    best_copy: &'static str,
    how: How,
    /// Where there are cold samples, or clocks to raise.
    eviction: Option<Eviction<'a>>,
}

impl<'a> Measurement<'a> {
    pub fn new(context: &'a Context, best_copy: &'static str, how: How) -> Result<Self> {
        let evicts = how.cold || !context.traits().software;
        Ok(Self {
            context,
            best_copy,
            how,
            eviction: evicts.then(|| Eviction::new(context)).transpose()?,
        })
    }

    pub fn row(&self, workload: &Workload) -> Result<Row> {
        let (context, direction, runs) = (self.context, self.how.direction, self.how.runs);
        workload.check(context, direction)?;
        let case = workload.case(direction)?;
        let mut operation = case.operation()?;
        operation.variant = workload.settings.variant;
        let resident = match direction {
            Direction::Forward => {
                operation.statistics = false;
                Resident::new(context, &operation, &case)?
            }
            Direction::Backward => Resident::backward(context, &operation, &case)?,
        };
        let errors = verified(context, &case, &resident, direction)?;

        let bytes = workload::bytes(&operation, &case, direction);
        let reference = Copy::reference(context, bytes)?;
        let best = reference.named(self.best_copy);
        let works: [&dyn Work; 3] = [resident.bound(), &reference, &best];
        let [mut kernel, mut reference, mut best] = timed(context, works)?;
        // The device is not left idle for long from here to the end of its samples: its clocks would fall.
        if let Some(eviction) = &self.eviction {
            eviction.warm_up()?;
        }
        for _ in 0..runs {
            for timed in [&mut kernel, &mut reference, &mut best] {
                timed.sample()?;
            }
            for timed in [&mut kernel, &mut reference, &mut best] {
                timed.sample_kernel()?;
            }
        }
        let batch = (self.how.batch)
            .map(|recordings| Batch::measure(context, resident.bound(), recordings, runs))
            .transpose()?;
        let eviction = self.eviction.as_ref().filter(|_| self.how.cold);
        let cold = eviction
            .map(|eviction| Cold::measure(eviction, works, bytes, runs))
            .transpose()?;
        let cpu = cpu_samples(&operation, &case, direction, bytes, runs)?;
        let round_trips = round_trips(&resident, &case, bytes, runs)?;

        let [gbps, copy_gbps, best_gbps] = [&kernel, &reference, &best].map(|timed| gbps(bytes, timed.samples()));
        let (gpu_ms, cpu_ms) = (median(kernel.samples()), median(&cpu));
        Ok(Row {
            list: workload.list,
            op: operation.name,
            direction,
            layout: workload.layout(),
            shape: case.shape.clone(),
            dtype: "f32",
            variant: resident.variant().map_or("none", |variant| variant.name()),
            kernel_ms: kernel.kernel_ms(),
            copy_kernel_ms: reference.kernel_ms(),
            best_copy_kernel_ms: best.kernel_ms(),
            gpu_ms,
            round_trip_ms: median(&round_trips),
            cpu_ms,
            bytes,
            gbps,
            copy_gbps,
            of_copy: gbps / copy_gbps,
            best_copy: self.best_copy,
            best_gbps,
            of_best: gbps / best_gbps,
            speedup_vs_cpu: cpu_ms / gpu_ms,
            max_abs_err: errors.max_abs_err,
            max_ulp: errors.max_ulp,
            poisoned_runs: errors.poisoned_runs,
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

impl Cold {
    /// Of the kernel, the reference copy and the best copy, in this order.
    fn measure(eviction: &Eviction<'_>, works: [&dyn Work; 3], bytes: u64, runs: usize) -> Result<Self> {
        let mut kernels: [Vec<f64>; 3] = Default::default();
        for _ in 0..runs {
            let times = eviction.kernels_ms(&works)?.into_iter().flatten();
            kernels.iter_mut().zip(times).for_each(|(kernel, ms)| kernel.push(ms));
        }
        let [mut gpu, mut copy] = [Vec::new(), Vec::new()];
        for _ in 0..runs {
            gpu.push(eviction.submission_ms(works[0])?);
            copy.push(eviction.submission_ms(works[1])?);
        }
        let [kernel_ms, copy_kernel_ms, best_kernel_ms] =
            kernels.map(|kernel| (!kernel.is_empty()).then(|| median(&kernel)));
        let (own, copied) = (gbps(bytes, &gpu), gbps(bytes, &copy));
        Ok(Self {
            gpu_ms: median(&gpu),
            kernel_ms,
            copy_kernel_ms,
            best_kernel_ms,
            gbps: own,
            copy_gbps: copied,
            of_copy: own / copied,
            spread: spread(&gpu),
        })
    }
}

fn timed<'a>(context: &'a Context, [a, b, c]: [&'a dyn Work; 3]) -> Result<[Timed<'a>; 3]> {
    Ok([
        Timed::new(context, a)?,
        Timed::new(context, b)?,
        Timed::new(context, c)?,
    ])
}

fn gbps(bytes: u64, samples: &[f64]) -> f64 {
    bytes as f64 / median(samples) * 1e-6
}

fn cpu_samples(operation: &Operation, case: &Case, direction: Direction, bytes: u64, runs: usize) -> Result<Vec<f64>> {
    let mut run: Box<dyn FnMut() -> wgnorm::Result<()>> = match direction {
        Direction::Forward => {
            let mut output = cpu::Output::poisoned(operation, case, 0.0);
            Box::new(move || cpu::run_into(operation, case, &mut output))
        }
        Direction::Backward => {
            let records = cpu::run(operation, case, 0.0)?.records;
            let mut output = cpu::GradientOutput::poisoned(case, 0.0);
            let saved = operation.statistics;
            Box::new(move || cpu::run_backward_into(operation, case, saved.then_some(&records[..]), &mut output))
        }
    };
    let samples = if bytes > LARGE { LARGE_RUNS } else { CPU_RUNS };
    (0..samples.min(runs)).map(|_| second_time(|| Ok(run()?))).collect()
}

fn round_trips(resident: &Resident, case: &Case, bytes: u64, runs: usize) -> Result<Vec<f64>> {
    let round_trip = || {
        resident.upload(case);
        resident.submit();
        resident.read_results(case)
    };
    // One of a large tensor takes a while, and the check of the row has warmed up for it.
    if bytes > LARGE {
        return Ok(vec![once(round_trip)?]);
    }
    (0..ROUND_TRIPS.min(runs)).map(|_| second_time(round_trip)).collect()
}

/// Milliseconds of `work`, after a run that does not count: what came before has filled the caches with its own.
fn second_time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    once(work)
}

fn once(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(milliseconds(start))
}
