//! Blocks of whole segments that interleave or are long: summed in spans of memory, then mapped in the same spans.

use std::ops::Range;

use super::Pass;
use super::lanes::{self, Sums, Table};
use super::rows::{part, parts};
use super::sums::SumTable;
use crate::cpu::parallel;
use crate::cpu::statistics::Statistics;
use crate::cpu::walk::{Run, Walk, runs};

/// One block, and who works on it.
pub(super) struct Block<'a> {
    pub threads: usize,
    pub elements: Range<usize>,
    /// The number of its first segment.
    pub first: usize,
    /// Of all its segments.
    pub statistics: &'a [Statistics],
}

/// What a span adds to the sums.
struct SpanSums {
    /// By segment.
    segments: SumTable,
    /// Of runs that share a weight, which the segment does not.
    shared: Vec<(usize, Sums<f64>)>,
}

impl Pass<'_> {
    pub fn by_blocks(&self, dx: &mut [f32], parameters: &mut SumTable) {
        let Walk { blocks, block_len, .. } = *self.walk;
        if blocks < super::ENOUGH {
            for (block, dx) in parts(dx, block_len, blocks).into_iter().enumerate() {
                self.block(self.threads, block, dx, parameters);
            }
            return;
        }
        let share = blocks.div_ceil(self.tasks(blocks));
        let tasks = blocks.div_ceil(share);
        let mut sums: Vec<_> = (0..tasks).map(|_| SumTable::default()).collect();
        let items = parts(dx, share * block_len, tasks)
            .into_iter()
            .zip(&mut sums)
            .enumerate();
        parallel::for_each(self.threads, items, |(i, (dx, sums))| {
            *sums = SumTable::new(self.weights());
            let first = i * share;
            let count = share.min(blocks - first);
            for (j, dx) in parts(dx, block_len, count).into_iter().enumerate() {
                self.block(1, first + j, dx, sums);
            }
        });
        sums.into_iter().for_each(|sums| parameters.absorb(sums));
    }

    fn block(&self, threads: usize, block: usize, dx: &mut [f32], parameters: &mut SumTable) {
        let Walk {
            block_len,
            block_segments,
            ..
        } = *self.walk;
        let (first, start) = (block * block_segments, block * block_len);
        let mut statistics = vec![Statistics::default(); block_segments];
        self.statistics(threads, first, &mut statistics);
        let whole = Block {
            threads,
            elements: start..start + block_len,
            first,
            statistics: &statistics,
        };
        let quick = match self.width() {
            _ if !self.is_quick() => None,
            Some(width) => self.quick_columns(width, &whole, dx, parameters),
            None => self.quick_block(&whole, dx, parameters),
        };
        if quick.is_none() {
            let runs = runs(&self.walk.memory, start..start + block_len);
            self.exactly(runs, start, first, &statistics, dx, parameters);
        }
    }

    /// One block in f32; `None`, and nothing added, where that is not exact enough.
    fn quick_block(&self, block: &Block<'_>, dx: &mut [f32], parameters: &mut SumTable) -> Option<()> {
        let &Block {
            threads,
            ref elements,
            first,
            statistics,
        } = block;
        let mut lines = Table::default();
        for statistics in statistics {
            let line = statistics.line(1.0, 0.0)?;
            lines.push([line.center, line.factor, line.offset]);
        }
        let segments = first..first + statistics.len();
        let spans: Vec<Range<usize>> = (elements.clone().step_by(self.span()))
            .map(|start| start..elements.end.min(start + self.span()))
            .collect();

        let mut span_sums: Vec<Option<SpanSums>> = Vec::new();
        span_sums.resize_with(spans.len(), || None);
        let items = spans.iter().zip(&mut span_sums);
        parallel::for_each(threads, items, |(span, sums)| {
            *sums = Some(self.sum_span(span.clone(), segments.clone(), &lines));
        });
        let (mut totals, mut shared) = (SumTable::new(segments.clone()), Vec::new());
        for span in span_sums.into_iter().flatten() {
            totals.absorb(span.segments);
            shared.extend(span.shared);
        }
        let totals = totals.into_sums();
        let all = || totals.iter().chain(shared.iter().map(|(_, sums)| sums));
        if !all().all(Sums::are_finite) {
            return None;
        }

        let weights = self.weights_of(segments.clone());
        let mut slopes = Table::default();
        for ((sums, statistics), &index) in totals.iter().zip(statistics).zip(&weights) {
            let weight = if self.one_weight { self.weight_at(index) } else { 1.0 };
            let slope = self.slope(statistics, sums.times(weight)).narrow(weight)?;
            slopes.push([slope.of_g, slope.of_x_hat, slope.constant]);
        }
        if self.adds_parameters() {
            if self.one_weight {
                shared = weights.into_iter().zip(totals).collect();
            }
            shared
                .into_iter()
                .for_each(|(weight, sums)| parameters.add(weight, sums));
        }

        let mut outputs: Vec<_> = spans.iter().map(|_| SumTable::default()).collect();
        let items = spans.iter().zip(parts(dx, self.span(), spans.len())).zip(&mut outputs);
        parallel::for_each(threads, items, |((span, dx), sums)| {
            *sums = SumTable::new(self.weights_within(span.clone()));
            self.map_span(span.clone(), first, &lines, &slopes, dx, sums);
        });
        outputs.into_iter().for_each(|sums| parameters.absorb(sums));
        Some(())
    }

    /// The weight of each of some segments, or of its first element.
    fn weights_of(&self, segments: Range<usize>) -> Vec<usize> {
        let kept = runs(&self.kept.kept, segments);
        kept.flat_map(|run| (0..run.len).map(move |i| run.weight + i * run.inner.weight as usize))
            .collect()
    }

    /// True if the elements of a run are added to sums of a weight each.
    fn adds_each(&self, run: &Run) -> bool {
        self.adds_parameters() && !self.one_weight && run.inner.weight != 0
    }

    /// The weights to which a span adds its elements.
    fn weights_within(&self, span: Range<usize>) -> Range<usize> {
        let each = runs(&self.walk.memory, span).filter(|run| self.adds_each(run));
        let ranges = each.map(|run| run.weight..run.weight + run.len);
        let whole = ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        whole.unwrap_or(0..0)
    }

    /// The sums of a span by segment: of dy if each segment has one weight, of g if not.
    fn sum_span(&self, span: Range<usize>, segments: Range<usize>, lines: &Table) -> SpanSums {
        let (first, mut shared) = (segments.start, Vec::new());
        let mut sums = SumTable::new(segments);
        for run in runs(&self.walk.memory, span) {
            let mut operands = self.operands(&run);
            let shares = !self.one_weight && run.inner.weight == 0;
            if self.one_weight {
                operands.weight = None;
            }
            let weight = if shares { self.weight_at(run.weight) } else { 1.0 };
            if run.inner.record == 0 {
                let of_run = self.sum_run(&run, lines.line(run.record - first));
                sums.add(run.record, of_run.times(weight));
                if shares {
                    shared.push((run.weight, of_run));
                }
                continue;
            }
            let lines = lines.slices(run.record - first, run.len);
            if let Some(accumulators) = sums.accumulators(run.record, run.len) {
                lanes::add_columns(self.level, operands, weight as f32, lines, accumulators);
            }
            if shares && self.adds_parameters() {
                let of_run = lanes::sums_across(self.level, operands.x, operands.dy, lines);
                let of_run = Sums {
                    gradients: f64::from(of_run.gradients),
                    products: f64::from(of_run.products),
                };
                shared.push((run.weight, of_run));
            }
        }
        SpanSums { segments: sums, shared }
    }

    fn map_span(
        &self,
        span: Range<usize>,
        first: usize,
        lines: &Table,
        slopes: &Table,
        dx: &mut [f32],
        sums: &mut SumTable,
    ) {
        if dx.is_empty() && sums.is_empty() {
            return;
        }
        let mut constant = Vec::new();
        for run in runs(&self.walk.memory, span.clone()) {
            let mut operands = self.operands(&run);
            let accumulators = match self.adds_each(&run) {
                true => sums.accumulators(run.weight, run.len),
                false => None,
            };
            let weight = match (self.one_weight, run.inner.weight) {
                (false, 0) => self.weight_at(run.weight) as f32,
                _ => 1.0,
            };
            if self.one_weight {
                operands.weight = None;
            }
            let start = run.x - span.start;
            let dx = part(dx, start..start + run.len);
            let segment = run.record - first;
            if run.inner.record == 0 {
                let mut slope = slopes.slope(segment);
                slope.of_g *= weight;
                lanes::map(self.level, operands, lines.line(segment), slope, dx, accumulators);
                continue;
            }
            if weight != 1.0 {
                constant.clear();
                constant.resize(run.len, weight);
                operands.weight = Some(&constant);
            }
            let (lines, slopes) = (lines.slices(segment, run.len), slopes.slices(segment, run.len));
            lanes::map_across(self.level, operands, lines, slopes, dx, accumulators);
        }
    }
}
