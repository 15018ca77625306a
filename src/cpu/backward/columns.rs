//! Blocks of equal rows: in each the same segments and the same weights, element by element, as N×spatial×C has them.
//!
//! So a row is so many columns, each with one line, one slope and one weight, however short the runs of a segment are.

use std::ops::Range;

use super::Pass;
use super::blocks::Block;
use super::lanes::{self, Operands, Sums, Table};
use super::rows::{part, parts};
use super::sums::SumTable;
use crate::cpu::parallel;
use crate::cpu::walk::runs;

/// Widths of rows that are worth tables of their columns, and whose sums stay in the cache.
const WIDTHS: std::ops::RangeInclusive<usize> = 8..=4096;
/// Rows of a span, at least: its sums are as many as the elements of two.
const ROWS: usize = 16;

impl Pass<'_> {
    /// The width of the rows of a block, if it has equal ones.
    pub fn width(&self) -> Option<usize> {
        let inside = |x: u32| (x as usize) < self.walk.block_len;
        let rows = self.walk.memory.iter().find(|digit| inside(digit.x))?;
        let width = rows.x as usize;
        (rows.record == 0 && rows.weight == 0 && WIDTHS.contains(&width)).then_some(width)
    }

    /// One block in f32; `None`, and nothing added, where that is not exact enough.
    pub fn quick_columns(
        &self,
        width: usize,
        block: &Block<'_>,
        dx: &mut [f32],
        parameters: &mut SumTable,
    ) -> Option<()> {
        let &Block {
            threads,
            ref elements,
            first,
            statistics,
        } = block;
        // Segment and weight of each column.
        let mut columns = Vec::with_capacity(width);
        for run in runs(&self.walk.memory, elements.start..elements.start + width) {
            let at = |i: usize| {
                let segment = run.record + i * run.inner.record as usize - first;
                (segment, run.weight + i * run.inner.weight as usize)
            };
            columns.extend((0..run.len).map(at));
        }
        let mut lines = Table::default();
        for &(segment, _) in &columns {
            let line = statistics[segment].line(1.0, 0.0)?;
            lines.push([line.center, line.factor, line.offset]);
        }
        let lines = lines.slices(0, width);
        let span = (self.span() / width).max(ROWS) * width;
        let spans: Vec<Range<usize>> = (elements.clone().step_by(span))
            .map(|start| start..elements.end.min(start + span))
            .collect();
        let row = |start: usize| Operands {
            x: &self.x[start..][..width],
            dy: &self.dy[start..][..width],
            weight: None,
        };

        let mut sums: Vec<_> = spans.iter().map(|_| SumTable::default()).collect();
        parallel::for_each(threads, spans.iter().zip(&mut sums), |(span, sums)| {
            *sums = SumTable::new(0..width);
            for start in span.clone().step_by(width) {
                if let Some(accumulators) = sums.accumulators(0, width) {
                    lanes::add_columns(self.level, row(start), 1.0, lines, accumulators);
                }
            }
        });
        let mut all = SumTable::new(0..width);
        sums.into_iter().for_each(|sums| all.absorb(sums));
        let sums = all.into_sums();
        if !sums.iter().all(Sums::are_finite) {
            return None;
        }

        let mut totals = vec![Sums::default(); statistics.len()];
        for (&(segment, weight), sums) in columns.iter().zip(&sums) {
            totals[segment].add(&sums.times(self.weight_at(weight)));
        }
        let mut slopes = Table::default();
        for &(segment, weight) in &columns {
            let slope = self.slope(&statistics[segment], totals[segment]);
            let slope = slope.narrow(self.weight_at(weight))?;
            slopes.push([slope.of_g, slope.of_x_hat, slope.constant]);
        }
        if self.adds_parameters() {
            for ((_, weight), sums) in columns.into_iter().zip(sums) {
                parameters.add(weight, sums);
            }
        }
        if dx.is_empty() {
            return Some(());
        }
        let slopes = slopes.slices(0, width);
        let items = spans.iter().zip(parts(dx, span, spans.len()));
        parallel::for_each(threads, items, |(span, dx)| {
            for start in span.clone().step_by(width) {
                let from = start - span.start;
                let dx = part(dx, from..from + width);
                lanes::map_across(self.level, row(start), lines, slopes, dx, None);
            }
        });
        Some(())
    }
}
