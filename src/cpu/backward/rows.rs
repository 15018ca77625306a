//! Consecutive segments, each summed and mapped while it is cached.

use std::ops::Range;

use super::Pass;
use super::lanes::{self, Sums};
use super::sums::SumTable;
use crate::cpu::statistics::Statistics;
use crate::cpu::walk::runs;
use crate::cpu::{TILE, parallel};

/// The sums of dy of the runs of a segment whose elements share a weight, and that weight.
type Shared = Vec<(usize, Sums<f64>)>;

/// Some outputs that lie one behind the other; of none, as many empty ones.
pub(super) fn parts(dx: &mut [f32], len: usize, count: usize) -> Vec<&mut [f32]> {
    let mut parts: Vec<&mut [f32]> = dx.chunks_mut(len).collect();
    parts.resize_with(count, Default::default);
    parts
}

/// The part of an output that may be none.
pub(super) fn part(dx: &mut [f32], range: Range<usize>) -> &mut [f32] {
    if dx.is_empty() { dx } else { &mut dx[range] }
}

impl Pass<'_> {
    pub fn by_rows(&self, dx: &mut [f32], parameters: &mut SumTable) {
        let (len, rows) = (self.walk.length(), self.walk.segments());
        let share = rows.div_ceil(self.tasks(rows));
        let tasks = rows.div_ceil(share);
        let mut sums: Vec<_> = (0..tasks).map(|_| SumTable::default()).collect();
        let items = parts(dx, share * len, tasks).into_iter().zip(&mut sums).enumerate();
        parallel::for_each(self.threads, items, |(i, (dx, sums))| {
            *sums = SumTable::new(self.weights());
            let first = i * share;
            self.rows(first..rows.min(first + share), dx, sums);
        });
        sums.into_iter().for_each(|sums| parameters.absorb(sums));
    }

    fn rows(&self, rows: Range<usize>, dx: &mut [f32], parameters: &mut SumTable) {
        let len = self.walk.length();
        let tile = (TILE / len).clamp(1, rows.len());
        let mut statistics = vec![Statistics::default(); tile];
        let mut shared = Shared::new();
        for first in rows.clone().step_by(tile) {
            let statistics = &mut statistics[..tile.min(rows.end - first)];
            self.statistics(1, first, statistics);
            for (row, statistics) in (first..).zip(statistics.iter()) {
                let start = (row - rows.start) * len;
                let dx = part(dx, start..start + len);
                if self.row(row, statistics, dx, &mut shared, parameters).is_none() {
                    let runs = runs(&self.walk.memory, row * len..(row + 1) * len);
                    let statistics = std::slice::from_ref(statistics);
                    self.exactly(runs, row * len, row, statistics, dx, parameters);
                }
            }
        }
    }

    /// One row in f32; `None`, and nothing added, where that is not exact enough.
    fn row(
        &self,
        row: usize,
        statistics: &Statistics,
        dx: &mut [f32],
        shared: &mut Shared,
        parameters: &mut SumTable,
    ) -> Option<()> {
        let line = statistics.line(1.0, 0.0).filter(|_| self.is_quick())?;
        let len = self.walk.length();
        let row = row * len..(row + 1) * len;
        shared.clear();
        let mut sums = Sums::default();
        for start in row.clone().step_by(self.span()) {
            let mut span = Sums::default();
            for run in runs(&self.walk.memory, start..row.end.min(start + self.span())) {
                let each = run.inner.weight != 0;
                if each && !self.gradients.dx {
                    continue;
                }
                let of_run = self.sum_run(&run, line);
                if each {
                    span.add(&of_run);
                } else {
                    span.add(&of_run.times(self.weight_at(run.weight)));
                    shared.push((run.weight, of_run));
                }
            }
            sums.add(&span);
        }
        if !sums.are_finite() || !shared.iter().all(|(_, sums)| sums.are_finite()) {
            return None;
        }
        let slope = self.slope(statistics, sums);
        slope.narrow(1.0)?;
        let adds = self.adds_parameters();
        if adds {
            for &(weight, sums) in &*shared {
                parameters.add(weight, sums);
            }
        }
        for run in runs(&self.walk.memory, row.clone()) {
            let each = run.inner.weight != 0;
            let accumulators = match adds && each {
                true => parameters.accumulators(run.weight, run.len),
                false => None,
            };
            let weight = if each { 1.0 } else { self.weight_at(run.weight) };
            let slope = slope.rounded(weight);
            let start = run.x - row.start;
            let dx = part(dx, start..start + run.len);
            lanes::map(self.level, self.operands(&run), line, slope, dx, accumulators);
        }
        Some(())
    }
}
