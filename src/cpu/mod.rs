//! Every operation on the CPU's threads, in f32 storage: what the GPU is compared with, and what a program falls
//! back on where there is no adapter.
//!
//! Chunks of a segment are summed about a pivot in f32 vectors, of the widest instructions that the processor has, and
//! merged in f64; the map is f32 too, with the mean as a pair. Where f32 is not exact enough (sums that overflow or
//! underflow, pivots that stay far from the mean, infinities, NaN), a chunk, or the map of a segment, is done in f64.
//! So are the norms of other powers than 2. A segment is mapped while it is in the cache.
//!
//! Which thread does what depends on chance, and how the work is divided on the number of threads, but not what is
//! computed: results are the same bits from run to run and on any number of threads, and batch invariant. They may
//! differ between processors, by whether those round a product and a sum once or twice.
//!
//! [`forward`] takes any whole [`Operation`], [`backward`] makes its gradients. The statistics and apply stages are the GPU's and are refused with an
//! error; a forced variant is ignored. What lies dense and row-major in the order of the axes is read and written in
//! place; an x or a y with other strides ([`Axis`](crate::geometry::Axis)) goes through a dense copy.
//!
//! ```
//! use wgnorm::{LayerNorm, Normalization, cpu};
//! let operation = LayerNorm::new(&[2, 2]).eps(0.0).weight(false).bias(false).operation()?;
//! let mut y = [0.0; 4];
//! cpu::forward(&operation, &[1.0, 3.0, 5.0, 15.0], &mut y, cpu::Args::default())?;
//! assert_eq!(y, [-1.0, 1.0, -1.0, 1.0]);
//! # Ok::<(), wgnorm::Error>(())
//! ```

mod apply;
mod backward;
mod check;
mod consecutive;
mod lanes;
mod parallel;

mod reduction;
mod response;
mod segments;
mod statistics;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use backward::{BackwardArgs, backward};

use std::borrow::Cow;

use fearless_simd::Level;

use crate::error::Result;
use crate::spec::{Operation, Source, Statistic};
use crate::statistics::Record;
use apply::{Mapping, Parameters};
use consecutive::Consecutive;
use statistics::Statistics;
use view::Views;
use walk::{Run, Walk, runs};

/// Elements that a thread takes at a time, if that many blocks hold them.
const TASK: usize = 1 << 17;
/// Tasks for each thread: with fewer, threads would wait for the last of them.
const TASKS: usize = 8;
/// Elements of a segment on which all threads work together, since one for each of them, with its weight, would not
/// stay in the cache that they share.
const LONG: usize = 1 << 19;
/// Elements that are normalized from statistics to map while they are in the first caches, if that many blocks hold
/// them.
const TILE: usize = 1 << 13;

/// What an operation takes besides x and y: exactly what it was built for, every slice with exactly its length.
#[derive(Debug, Default)]
pub struct Args<'a> {
    /// Multiplies y; [`Operation::weight_len`] elements.
    pub weight: Option<&'a [f32]>,
    /// Added to y; [`Operation::weight_len`] elements.
    pub bias: Option<&'a [f32]>,
    /// One mean per channel: read, and overwritten where the operation updates running statistics.
    pub running_mean: Option<&'a mut [f32]>,
    /// One variance per channel: read, and overwritten where the operation updates running statistics.
    pub running_var: Option<&'a mut [f32]>,
    /// Batches that every channel has seen: read, and counted up, by a cumulative average.
    pub batches: Option<&'a mut [u32]>,
    /// Overwritten with one record per segment, row-major over the kept axes.
    pub statistics: Option<&'a mut [Record]>,
}

/// Normalizes `x` into `y` on rayon's current thread pool; small tensors on the calling thread.
///
/// A thread of the pool (see `rayon::ThreadPool::install`) takes part in the work. Any other hands it over and sleeps,
/// which costs it two wake-ups a call.
///
/// A dense row-major x or y is a slice of exactly its elements. One with other strides is a slice from its first
/// element on, at least to its last; of y, what lies between and behind the elements stays as it is.
///
/// Of an empty tensor nothing is written.
///
/// # Errors
/// Before anything is written:
/// - [`ErrorKind::Argument`](crate::ErrorKind::Argument): a slice is missing, or given though the operation takes
///   none.
/// - [`ErrorKind::Size`](crate::ErrorKind::Size): a slice has another length than the operation asks for.
/// - [`ErrorKind::Parameter`](crate::ErrorKind::Parameter): the stage is not
///   [`Stage::Whole`](crate::spec::Stage::Whole), or running statistics or records are asked for where there are none.
/// - [`ErrorKind::Shape`](crate::ErrorKind::Shape): the operation's axes are not what a builder makes: y overlaps
///   itself, records or weight are not dense, or a window moves along several axes.
pub fn forward(operation: &Operation, x: &[f32], y: &mut [f32], args: Args<'_>) -> Result<()> {
    let threads = parallel::threads(x.len());
    forward_with(Level::new(), threads, operation, x, y, args)
}

/// As [`forward`], with instructions of this level and so many threads.
fn forward_with(
    level: Level,
    threads: usize,
    operation: &Operation,
    x: &[f32],
    y: &mut [f32],
    args: Args<'_>,
) -> Result<()> {
    let views = Views::new(&operation.axes)?;
    let walk = Walk::new(operation, &views.axes)?;
    check::arguments(operation, &walk, &views, x, y, &args)?;
    if walk.elements() == 0 {
        return Ok(());
    }
    let x = match &views.x {
        Some(copy) => Cow::Owned(dense(&walk, |dense| copy.run(x, dense))),
        None => Cow::Borrowed(x),
    };
    let job = Job {
        operation,
        walk: &walk,
        x: &x,
        parameters: Parameters {
            weight: args.weight,
            bias: args.bias,
        },
        level,
        threads,
    };
    match &views.y {
        Some(copy) => copy.run(&dense(&walk, |dense| job.normalize(dense, args)), y),
        None => job.normalize(y, args),
    }
    Ok(())
}

/// A dense tensor, which is handed out to be filled.
fn dense(walk: &Walk, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut dense = vec![0.0; walk.elements()];
    fill(&mut dense);
    dense
}

/// A call on tensors that are dense, row-major and not empty: what all its tasks read.
#[derive(Clone, Copy)]
struct Job<'a> {
    operation: &'a Operation,
    walk: &'a Walk,
    x: &'a [f32],
    parameters: Parameters<'a>,
    level: Level,
    threads: usize,
}

/// What the threads take from each other. The results are the same.
enum Division {
    /// Some blocks, from statistics to map.
    Blocks,
    /// A segment from statistics to map, though it is in pieces.
    Segments,
    /// A span, of the statistics and then of the map, of one block after the other.
    Spans,
}

impl Job<'_> {
    fn normalize(&self, y: &mut [f32], args: Args<'_>) {
        if let Statistic::Window(window) = self.operation.statistic {
            return response::apply(self, window, y);
        }
        let mut statistics = match (self.operation.source, &args.running_mean, &args.running_var) {
            (Source::Running, Some(mean), Some(var)) => statistics::given(self.operation, mean, var),
            _ => vec![Statistics::default(); self.walk.segments()],
        };
        match self.division() {
            Division::Blocks => self.by_blocks(y, &mut statistics),
            Division::Segments => self.by_segments(y, &mut statistics),
            Division::Spans => self.by_spans(y, &mut statistics),
        }
        if let Some(records) = args.statistics {
            for (record, statistics) in records.iter_mut().zip(&statistics) {
                *record = Record::new(statistics.mean, statistics.rstd);
            }
        }
        if let (Some(update), Some(mean), Some(var)) = (&self.operation.running, args.running_mean, args.running_var) {
            statistics::update_running(update, self.walk.length(), &statistics, (mean, var), args.batches);
        }
    }

    fn division(&self) -> Division {
        let walk = self.walk;
        let enough = if self.threads == 1 { 1 } else { TASKS * self.threads };
        let runs = walk.memory.last().filter(|inner| inner.record == 0);
        let long_runs = runs.is_some_and(|run| run.extent as usize >= segments::RUN);
        let cached = match walk.block_segments {
            1 => walk.block_len <= LONG,
            _ => walk.block_len <= TASK,
        };
        if self.operation.source == Source::Running {
            Division::Spans
        } else if cached && walk.blocks >= enough {
            Division::Blocks
        } else if long_runs && walk.block_segments > 1 && walk.segments() >= enough {
            Division::Segments
        } else if walk.block_segments > 1 && walk.blocks >= enough {
            Division::Blocks
        } else {
            Division::Spans
        }
    }

    fn by_blocks(&self, y: &mut [f32], statistics: &mut [Statistics]) {
        let Walk {
            block_len,
            block_segments,
            ..
        } = *self.walk;
        let blocks = (TASK / block_len).min(self.walk.blocks / (TASKS * self.threads)).max(1);
        let tile = (TILE / block_len).clamp(1, blocks);
        let tasks = (y.chunks_mut(blocks * block_len))
            .zip(statistics.chunks_mut(blocks * block_segments))
            .enumerate();
        parallel::for_each(self.threads, tasks, |(i, (y, statistics))| {
            // (Of single elements the innermost axis numbers segments.)
            if block_segments == 1 && block_len > 1 {
                let segments = Consecutive {
                    job: self,
                    first: i * blocks,
                    y,
                    statistics,
                };
                return statistics::visit(self.operation, segments);
            }
            let tiles = (y.chunks_mut(tile * block_len)).zip(statistics.chunks_mut(tile * block_segments));
            for (j, (y, statistics)) in tiles.enumerate() {
                let block = i * blocks + j * tile;
                let first = block * block_segments;
                statistics::compute(self, 1, first, statistics);
                apply::apply(self, block * block_len, y, first, statistics);
            }
        });
    }

    fn by_segments(&self, y: &mut [f32], statistics: &mut [Statistics]) {
        let mut segments: Vec<Vec<(Run, &mut [f32])>> = Vec::new();
        segments.resize_with(statistics.len(), Vec::new);
        let mut rest = y;
        for run in runs(&self.walk.memory, 0..rest.len()) {
            let (head, tail) = rest.split_at_mut(run.len);
            rest = tail;
            segments[run.record].push((run, head));
        }
        let tasks = segments.into_iter().zip(statistics.chunks_mut(1)).enumerate();
        parallel::for_each(self.threads, tasks, |(first, (runs, statistics))| {
            statistics::compute(self, 1, first, statistics);
            let mut mapping = Mapping::new(self, first, statistics);
            for (run, y) in runs {
                mapping.map(&run, y);
            }
        });
    }

    fn by_spans(&self, y: &mut [f32], statistics: &mut [Statistics]) {
        let Walk {
            block_len,
            block_segments,
            ..
        } = *self.walk;
        let blocks = (y.chunks_mut(block_len)).zip(statistics.chunks_mut(block_segments));
        for (block, (y, statistics)) in blocks.enumerate() {
            let first = block * block_segments;
            if self.operation.source == Source::Input {
                statistics::compute(self, self.threads, first, statistics);
            }
            parallel::for_each(self.threads, y.chunks_mut(apply::SPAN).enumerate(), |(i, y)| {
                apply::apply(self, block * block_len + i * apply::SPAN, y, first, statistics);
            });
        }
    }
}
