//! The backward pass: dx, dweight and dbias of a normalization.
//!
//! Of every segment `sum(g)` and `sum(g x_hat)` are taken, with g = dy times weight, and dx is a line of both; `slope`
//! has the formulas. x_hat is that of the forward pass: `(x - center) * factor + offset` in f32, with the rest of the
//! mean in the offset. Chunks of 1024 elements are summed in f32 vectors and added up in f64. The sums of a weight are
//! added up in f32 over 64 elements, and those in f64, in the order of memory and of tasks, which the geometry alone
//! decides: results are the same bits from run to run and on any number of threads, and dx is batch invariant.
//!
//! Three ways divide the work, by the geometry:
//!
//! - **Rows**: consecutive segments. A thread sums one and maps it while it is cached.
//! - **Segments**: segments in pieces, of one weight each, as batch norm of N×C×S has them, likewise.
//! - **Blocks**: all else. A block is summed in spans, and then mapped in the same spans, by all threads if there are few
//!   blocks.

mod blocks;
mod check;
mod columns;
mod exact;
mod lanes;
mod rows;
mod segments;
mod slope;
mod sums;
#[cfg(test)]
mod tests;
mod window;

use std::borrow::Cow;
use std::ops::Range;

use fearless_simd::Level;

use super::apply::Parameters;
use super::lanes::Line;
use super::segments::{CHUNK, RUN};
use super::statistics::{self, Statistics};
use super::view::GradientViews;
use super::walk::{Run, Walk};
use super::{Job, parallel};
use crate::error::Result;
use crate::geometry::Geometry;
use crate::spec::{EpsRule, Gradients, Operation, Source, Statistic};
use crate::statistics::Record;
use lanes::{Operands, Sums};
use sums::SumTable;

/// Tasks that work is divided into: enough for many threads, few enough that their sums of each weight are small.
const TASKS: usize = 64;
/// Blocks or segments from which on a thread takes whole ones.
const ENOUGH: usize = 16;
/// Elements of a block that a task sums and maps, at least.
const SPAN: usize = 1 << 14;

/// What a backward pass takes besides x and dy, and what it writes: exactly what is asked for, every slice with exactly
/// its length.
#[derive(Debug, Default)]
pub struct BackwardArgs<'a> {
    /// What multiplied y; [`Operation::weight_len`] elements. May be missing where dx is not asked for.
    pub weight: Option<&'a [f32]>,
    /// The running mean of each channel, where the forward pass used it.
    pub running_mean: Option<&'a [f32]>,
    /// The running variance of each channel, where the forward pass used it.
    pub running_var: Option<&'a [f32]>,
    /// The records that the forward pass saved, so that x_hat is its; taken of x again where they are missing.
    pub statistics: Option<&'a [Record]>,
    /// Overwritten with the gradient of x.
    pub dx: Option<&'a mut [f32]>,
    /// Overwritten with the gradient of the weight, or added to.
    pub dweight: Option<&'a mut [f32]>,
    /// Overwritten with the gradient of the bias, or added to.
    pub dbias: Option<&'a mut [f32]>,
}

/// The gradients of a loss with respect to `x`, the weight and the bias, by that with respect to y, `dy`, on rayon's
/// current thread pool; small tensors on the calling thread.
///
/// x lies by the operation's strides of x, and so does dx; dy lies by those of y. A dense row-major tensor is a slice of
/// exactly its elements; one with other strides is a slice from its first element on, at least to its last, and of dx
/// what lies between and behind the elements stays as it is. The formulas are those of
/// [`reference::gradient`](crate::reference::gradient).
///
/// Of an empty tensor dweight and dbias are 0.
///
/// ```
/// use wgnorm::{Gradients, LayerNorm, Normalization, cpu};
/// let operation = LayerNorm::new(&[1, 2]).eps(3.0).bias(false).operation()?;
/// let (mut dx, mut dweight) = ([0.0; 2], [0.0; 2]);
/// let args = cpu::BackwardArgs {
///     weight: Some(&[1.0, 1.0]),
///     dx: Some(&mut dx),
///     dweight: Some(&mut dweight),
///     ..Default::default()
/// };
/// cpu::backward(&operation, Gradients::of(&operation), &[0.0, 2.0], &[1.0, 0.0], args)?;
/// assert_eq!((dx, dweight), ([0.1875, -0.1875], [-0.5, 0.0]));
/// # Ok::<(), wgnorm::Error>(())
/// ```
///
/// # Errors
/// Before anything is written:
/// - [`ErrorKind::Argument`](crate::ErrorKind::Argument): a slice is missing, or given though it is not asked for.
/// - [`ErrorKind::Size`](crate::ErrorKind::Size): a slice has another length than the operation asks for.
/// - [`ErrorKind::Parameter`](crate::ErrorKind::Parameter): nothing is asked for, or dweight or dbias of an operation
///   without weight or bias, and what [`forward`](super::forward) refuses.
/// - [`ErrorKind::Shape`](crate::ErrorKind::Shape): dx would overlap itself, as x does with a stride of 0, and what
///   [`forward`](super::forward) refuses.
pub fn backward(
    operation: &Operation,
    gradients: Gradients,
    x: &[f32],
    dy: &[f32],
    args: BackwardArgs<'_>,
) -> Result<()> {
    let threads = parallel::threads(dy.len());
    backward_with(Level::new(), threads, operation, gradients, x, dy, args)
}

/// As [`backward`], with instructions of this level and so many threads.
fn backward_with(
    level: Level,
    threads: usize,
    operation: &Operation,
    gradients: Gradients,
    x: &[f32],
    dy: &[f32],
    mut args: BackwardArgs<'_>,
) -> Result<()> {
    let views = GradientViews::new(&operation.axes, gradients.dx)?;
    let walk = Walk::new(operation, &views.axes)?;
    check::arguments(operation, gradients, &walk, &views, x, dy, &args)?;
    if !gradients.accumulate {
        for out in [&mut args.dweight, &mut args.dbias].into_iter().flatten() {
            out.fill(0.0);
        }
    }
    if walk.elements() == 0 {
        return Ok(());
    }
    let dense = |copy: &super::view::Transfer, source: &[f32]| super::dense(&walk, |dense| copy.run(source, dense));
    let x = views
        .x
        .as_ref()
        .map_or(Cow::Borrowed(x), |copy| Cow::Owned(dense(copy, x)));
    let dy = views
        .dy
        .as_ref()
        .map_or(Cow::Borrowed(dy), |copy| Cow::Owned(dense(copy, dy)));
    let mut given = given(operation, &args);
    if let Some(statistics) = &given
        && may_be_cut(operation, statistics)
    {
        given = None;
    }
    let kept = Geometry::new(&views.axes)?;
    let pass = Pass {
        operation,
        gradients,
        walk: &walk,
        x: &x,
        dy: &dy,
        weight: args.weight.filter(|_| gradients.dx),
        given,
        one_weight: kept.reduced.iter().all(|digit| digit.weight == 0),
        kept: &kept,
        level,
        threads,
    };
    let sums = match (&views.dx, args.dx) {
        (_, None) => pass.differentiate(&mut []),
        (None, Some(dx)) => pass.differentiate(dx),
        (Some(copy), Some(dx)) => {
            let mut dense = vec![0.0; walk.elements()];
            let sums = pass.differentiate(&mut dense);
            copy.run(&dense, dx);
            sums
        }
    };
    sums.finish(args.dweight, args.dbias);
    Ok(())
}

/// The statistics that the caller has.
fn given(operation: &Operation, args: &BackwardArgs<'_>) -> Option<Vec<Statistics>> {
    if let (Source::Running, Some(mean), Some(var)) = (operation.source, args.running_mean, args.running_var) {
        return Some(statistics::given(operation, mean, var));
    }
    let of_record = |record: &Record| Statistics {
        mean: record.mean(),
        // A record does not say.
        spread: f64::NAN,
        rstd: record.rstd(),
    };
    Some(args.statistics?.iter().map(of_record).collect())
}

/// True if a norm may be below eps, which its record does not say: 1 / eps is that of eps itself too.
fn may_be_cut(operation: &Operation, statistics: &[Statistics]) -> bool {
    let at_eps = |statistics: &Statistics| statistics.rstd * f64::from(operation.eps) > 1.0 - 1e-6;
    operation.eps_rule == EpsRule::AtLeast && statistics.iter().any(at_eps)
}

/// A call on tensors that are dense, row-major and not empty: what all its tasks read.
struct Pass<'a> {
    operation: &'a Operation,
    gradients: Gradients,
    walk: &'a Walk,
    x: &'a [f32],
    dy: &'a [f32],
    weight: Option<&'a [f32]>,
    given: Option<Vec<Statistics>>,
    /// True if all elements of a segment share a weight.
    one_weight: bool,
    /// Kept and reduced digits with their strides in the weight.
    kept: &'a Geometry,
    level: Level,
    threads: usize,
}

impl Pass<'_> {
    /// Writes dx, unless it is empty; the sums for dweight and dbias, unless none is asked for.
    fn differentiate(&self, dx: &mut [f32]) -> SumTable {
        if let Statistic::Window(window) = self.operation.statistic {
            return self.by_windows(window, dx);
        }
        let mut parameters = SumTable::new(self.weights());
        let walk = self.walk;
        let long_runs = (walk.memory.last()).is_some_and(|run| run.record == 0 && run.extent as usize >= RUN);
        if walk.block_segments == 1 && walk.blocks >= ENOUGH {
            self.by_rows(dx, &mut parameters);
        } else if walk.blocks == 1 && long_runs && self.one_weight && self.is_quick() && walk.segments() >= ENOUGH {
            self.by_segments(dx, &mut parameters);
        } else {
            self.by_blocks(dx, &mut parameters);
        }
        parameters
    }

    /// The weights that are summed over.
    fn weights(&self) -> Range<usize> {
        match self.adds_parameters() {
            true => 0..self.operation.weight_len as usize,
            false => 0..0,
        }
    }

    fn adds_parameters(&self) -> bool {
        self.gradients.dweight || self.gradients.dbias
    }

    /// True if f32 may be exact enough: the derivative of other norms is no line of x.
    fn is_quick(&self) -> bool {
        !matches!(self.operation.statistic, Statistic::Norm { p } if p != 2.0)
    }

    /// The weight at an index; 1 if there is none.
    fn weight_at(&self, index: usize) -> f64 {
        self.weight.map_or(1.0, |weight| f64::from(weight[index]))
    }

    fn operands(&self, run: &Run) -> Operands<'_> {
        Operands {
            x: &self.x[run.x..][..run.len],
            dy: &self.dy[run.x..][..run.len],
            weight: match run.inner.weight {
                0 => None,
                _ => self.weight.map(|weight| &weight[run.weight..][..run.len]),
            },
        }
    }

    /// The statistics of some segments from `first` on.
    fn statistics(&self, threads: usize, first: usize, out: &mut [Statistics]) {
        if let Some(given) = &self.given {
            return out.copy_from_slice(&given[first..][..out.len()]);
        }
        let job = Job {
            operation: self.operation,
            walk: self.walk,
            x: self.x,
            parameters: Parameters {
                weight: None,
                bias: None,
            },
            level: self.level,
            threads,
        };
        statistics::compute(&job, threads, first, out);
    }

    /// The sums of a run in one segment of one line: of g if each element has its weight, else of dy.
    fn sum_run(&self, run: &Run, line: Line) -> Sums<f64> {
        let Operands { x, dy, weight } = self.operands(run);
        let mut sums = Sums::default();
        for start in (0..run.len).step_by(CHUNK) {
            let chunk = start..run.len.min(start + CHUNK);
            let operands = Operands {
                x: &x[chunk.clone()],
                dy: &dy[chunk.clone()],
                weight: weight.map(|weight| &weight[chunk]),
            };
            let Sums { gradients, products } = lanes::sums(self.level, operands, line);
            sums.add(&Sums {
                gradients: f64::from(gradients),
                products: f64::from(products),
            });
        }
        sums
    }

    /// Elements of a block that are summed in one go: the same however many blocks there are.
    fn span(&self) -> usize {
        let Walk {
            block_len,
            block_segments,
            ..
        } = *self.walk;
        let span = SPAN.max(block_len.div_ceil(TASKS)).max(8 * block_segments);
        span.next_multiple_of(CHUNK)
    }

    /// Tasks over so many items, each of which may have sums of its own for every weight.
    fn tasks(&self, items: usize) -> usize {
        let room = self.walk.elements() / (16 * self.weights().len().max(1));
        TASKS.min(room).clamp(1, items)
    }
}
