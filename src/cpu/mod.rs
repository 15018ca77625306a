//! Every operation on the CPU's threads, in f32 storage: what the GPU is compared with, and what a program falls
//! back on where there is no adapter.
//!
//! Statistics and the map are computed in f64 from the f32 input, in one read for the statistics and one for the
//! map, the second out of the cache where a segment fits there. How the work is cut depends on the geometry and
//! never on the number of threads or of samples: results are the same bits from run to run, and batch invariant.
//! The path is plain code that compilers vectorize; it is yet to be tuned to the speed of the best CPU libraries.
//!
//! [`forward`] takes any whole [`Operation`] of a dense tensor. The statistics and apply stages, forced variants
//! and views with strides are the GPU's: the first and the last are refused with an error, a variant is ignored.
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
mod check;
mod moments;
mod statistics;
#[cfg(test)]
mod tests;
mod walk;

use crate::statistics::Record;

use rayon::prelude::*;

use crate::error::Result;
use crate::spec::{Operation, Source};
use apply::Parameters;
use statistics::Statistics;
use walk::Walk;

/// Elements that a task normalizes from statistics to map while they are in its core's cache.
const GROUP: usize = 1 << 16;

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
    /// Overwritten with one record per segment, row-major over the kept axes.
    pub statistics: Option<&'a mut [Record]>,
}

/// Normalizes `x` into `y`, both dense in memory order, on rayon's current thread pool.
///
/// Of an empty tensor nothing is written.
///
/// # Errors
/// Before anything is written:
/// - [`ErrorKind::Argument`](crate::ErrorKind::Argument): a slice is missing, or given though the operation takes
///   none.
/// - [`ErrorKind::Size`](crate::ErrorKind::Size): a slice has another length than the operation asks for.
/// - [`ErrorKind::Parameter`](crate::ErrorKind::Parameter): the stage is not
///   [`Stage::Whole`](crate::spec::Stage::Whole).
/// - [`ErrorKind::Shape`](crate::ErrorKind::Shape): the operation's axes are not those of a dense tensor.
pub fn forward(operation: &Operation, x: &[f32], y: &mut [f32], args: Args<'_>) -> Result<()> {
    let walk = Walk::new(operation)?;
    check::arguments(operation, &walk, x, y, &args)?;
    if x.is_empty() {
        return Ok(());
    }
    let mut statistics = match (operation.source, &args.running_mean, &args.running_var) {
        (Source::Running, Some(mean), Some(var)) => statistics::given(operation, mean, var),
        _ => vec![Statistics::default(); walk.segments()],
    };
    let parameters = Parameters::new(operation, args.weight, args.bias);
    let blocks = (GROUP / walk.block_len).clamp(1, walk.blocks);
    let (elements, segments) = (blocks * walk.block_len, blocks * walk.block_segments);
    y.par_chunks_mut(elements)
        .zip(statistics.par_chunks_mut(segments))
        .enumerate()
        .for_each(|(group, (y, statistics))| {
            let first = group * segments;
            if operation.source == Source::Input {
                statistics::compute(operation, &walk, x, first, statistics);
            }
            apply::apply(&walk, x, group * elements, y, first, statistics, &parameters);
        });
    if let Some(records) = args.statistics {
        for (record, statistics) in records.iter_mut().zip(&statistics) {
            *record = Record::new(statistics.mean, statistics.rstd);
        }
    }
    if let (Some(update), Some(mean), Some(var)) = (&operation.running, args.running_mean, args.running_var) {
        statistics::update_running(update, walk.length(), &statistics, mean, var);
    }
    Ok(())
}
