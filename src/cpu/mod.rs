//! Every operation on the CPU's threads, in f32 storage: what the GPU is compared with, and what a program falls
//! back on where there is no adapter.
//!
//! Statistics and the map are computed in f64 from the f32 input, in one read for the statistics and one for the
//! map, the second out of the cache where a segment fits there. How the work is cut depends on the geometry and
//! never on the number of threads or of samples: results are the same bits from run to run, and batch invariant.
//! The path is plain code that compilers vectorize; it is yet to be tuned to the speed of the best CPU libraries.
//!
//! [`forward`] takes any whole [`Operation`]. The statistics and apply stages are the GPU's and are refused with an
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
mod check;
mod reduction;
mod response;
mod segments;
mod statistics;
#[cfg(test)]
mod tests;
mod view;
mod walk;

use std::borrow::Cow;

use rayon::prelude::*;

use crate::error::Result;
use crate::spec::{Operation, Source, Statistic};
use crate::statistics::Record;
use apply::Parameters;
use statistics::Statistics;
use view::Views;
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

/// Normalizes `x` into `y` on rayon's current thread pool.
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
    match &views.y {
        Some(copy) => copy.run(&dense(&walk, |dense| normalize(operation, &walk, &x, dense, args)), y),
        None => normalize(operation, &walk, &x, y, args),
    }
    Ok(())
}

/// A dense tensor, which is handed out to be filled.
fn dense(walk: &Walk, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut dense = vec![0.0; walk.elements()];
    fill(&mut dense);
    dense
}

/// Normalizes what is dense, row-major and not empty.
fn normalize(operation: &Operation, walk: &Walk, x: &[f32], y: &mut [f32], args: Args<'_>) {
    let parameters = Parameters::new(operation, args.weight, args.bias);
    if let Statistic::Window(window) = operation.statistic {
        return response::apply(walk, window, x, y, &parameters);
    }
    let mut statistics = match (operation.source, &args.running_mean, &args.running_var) {
        (Source::Running, Some(mean), Some(var)) => statistics::given(operation, mean, var),
        _ => vec![Statistics::default(); walk.segments()],
    };
    let blocks = (GROUP / walk.block_len).clamp(1, walk.blocks);
    let (elements, segments) = (blocks * walk.block_len, blocks * walk.block_segments);
    y.par_chunks_mut(elements)
        .zip(statistics.par_chunks_mut(segments))
        .enumerate()
        .for_each(|(group, (y, statistics))| {
            let first = group * segments;
            if operation.source == Source::Input {
                statistics::compute(operation, walk, x, first, statistics);
            }
            apply::apply(walk, x, group * elements, y, first, statistics, &parameters);
        });
    if let Some(records) = args.statistics {
        for (record, statistics) in records.iter_mut().zip(&statistics) {
            *record = Record::new(statistics.mean, statistics.rstd);
        }
    }
    if let (Some(update), Some(mean), Some(var)) = (&operation.running, args.running_mean, args.running_var) {
        statistics::update_running(update, walk.length(), &statistics, mean, var);
    }
}
