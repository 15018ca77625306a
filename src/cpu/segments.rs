//! Reduces segments of a tensor, chunk by chunk: one after the other, or side by side where they interleave.

use std::ops::Range;

use rayon::prelude::*;

use super::reduction::{LANES, Partial, Reduction};
use super::walk::runs;
use crate::geometry::Geometry;

/// Elements of a chunk of one segment.
pub(super) const CHUNK: usize = 1024;
/// Rows of a chunk of neighbouring segments.
pub(super) const ROWS: usize = 32;
/// The most neighbouring segments that are accumulated side by side; their sums stay in the first-level cache.
pub(super) const COLUMNS: usize = 256;
/// Elements of a segment that a task accumulates.
pub(super) const SPAN: usize = 1 << 16;
/// Rows of neighbouring segments that a task accumulates.
pub(super) const SPAN_ROWS: usize = 1 << 12;

/// Reduces the segments from `first` on, one for each of `out`.
pub(super) fn reduce(geometry: &Geometry, x: &[f32], reduction: impl Reduction, first: usize, out: &mut [Partial]) {
    let task = Task { geometry, x, reduction };
    let (tile, span) = match task.side_by_side() {
        true => (COLUMNS, SPAN_ROWS),
        false => ((SPAN / task.length()).max(1), SPAN),
    };
    out.par_chunks_mut(tile).enumerate().for_each(|(i, out)| {
        let spans = task.length().div_ceil(span);
        let partials: Vec<Vec<Partial>> = (0..spans)
            .into_par_iter()
            .map(|j| {
                let positions = j * span..task.length().min((j + 1) * span);
                let mut partial = vec![Partial::EMPTY; out.len()];
                task.accumulate(first + i * tile, positions, &mut partial);
                partial
            })
            .collect();
        out.fill(Partial::EMPTY);
        for partial in partials {
            out.iter_mut()
                .zip(partial)
                .for_each(|(out, partial)| out.absorb(partial, reduction));
        }
    });
}

/// What all tasks of one call read.
#[derive(Clone, Copy)]
struct Task<'a, R> {
    geometry: &'a Geometry,
    x: &'a [f32],
    reduction: R,
}

impl<R: Reduction> Task<'_, R> {
    fn length(&self) -> usize {
        self.geometry.length as usize
    }

    /// True if neighbouring segments lie side by side in memory, and enough of them to be accumulated so.
    fn side_by_side(&self) -> bool {
        let inner = self.geometry.kept.last();
        !self.geometry.inner_reduced && inner.is_some_and(|digit| digit.extent as usize >= LANES)
    }

    /// Absorbs the reduced `positions` of the segments from `first` on.
    fn accumulate(&self, first: usize, positions: Range<usize>, out: &mut [Partial]) {
        let mut done = 0;
        let mut scratch = Scratch::default();
        for run in runs(&self.geometry.kept, first..first + out.len()) {
            let out = &mut out[done..done + run.len];
            done += run.len;
            if self.side_by_side() {
                self.absorb_columns(run.x, positions.clone(), out, &mut scratch);
                continue;
            }
            for (i, out) in out.iter_mut().enumerate() {
                let start = run.x + i * run.inner.x as usize;
                self.absorb_segment(start, positions.clone(), out, &mut scratch.chunk);
            }
        }
    }

    /// One segment, chunk by chunk: long runs in place, short and strided ones gathered in `chunk`.
    fn absorb_segment(&self, start: usize, positions: Range<usize>, out: &mut Partial, chunk: &mut Vec<f32>) {
        chunk.clear();
        let all = positions.len();
        for run in runs(&self.geometry.reduced, positions) {
            let (start, stride) = (start + run.x, run.inner.x as usize);
            if stride == 1 && (run.len >= CHUNK || run.len == all) {
                for values in self.x[start..start + run.len].chunks(CHUNK) {
                    self.absorb_chunk(values, out);
                }
                continue;
            }
            let mut taken = 0;
            while taken < run.len {
                let count = (run.len - taken).min(CHUNK - chunk.len());
                let values = self.x[start + taken * stride..].iter().step_by(stride);
                chunk.extend(values.take(count));
                taken += count;
                if chunk.len() == CHUNK {
                    self.absorb_chunk(chunk, out);
                    chunk.clear();
                }
            }
        }
        if !chunk.is_empty() {
            self.absorb_chunk(chunk, out);
        }
    }

    fn absorb_chunk(&self, values: &[f32], out: &mut Partial) {
        out.absorb(Partial::of(values, self.reduction), self.reduction);
    }

    /// Neighbouring segments, row by row: the first element of each is at `start`.
    fn absorb_columns(&self, start: usize, positions: Range<usize>, out: &mut [Partial], scratch: &mut Scratch) {
        scratch.rows.clear();
        for run in runs(&self.geometry.reduced, positions) {
            for i in 0..run.len {
                scratch.rows.push(start + run.x + i * run.inner.x as usize);
                if scratch.rows.len() == ROWS {
                    self.absorb_rows(out, scratch);
                    scratch.rows.clear();
                }
            }
        }
        if !scratch.rows.is_empty() {
            self.absorb_rows(out, scratch);
        }
    }

    fn absorb_rows(&self, out: &mut [Partial], scratch: &mut Scratch) {
        let Scratch { rows, pivots, sums, .. } = scratch;
        for buffer in [&mut *pivots, &mut *sums] {
            buffer.clear();
            buffer.resize(out.len(), 0.0);
        }
        let (reduction, count) = (self.reduction, rows.len() as f64);
        if R::PIVOTS {
            for &row in rows.iter() {
                for (gathered, &value) in pivots.iter_mut().zip(&self.x[row..]) {
                    *gathered = reduction.gather(*gathered, f64::from(value));
                }
            }
            pivots
                .iter_mut()
                .for_each(|pivot| *pivot = reduction.pivot(*pivot, count));
        }
        for &row in rows.iter() {
            for ((sum, &pivot), &value) in sums.iter_mut().zip(pivots.iter()).zip(&self.x[row..]) {
                *sum += reduction.term(f64::from(value), pivot);
            }
        }
        for ((out, &pivot), &sum) in out.iter_mut().zip(pivots.iter()).zip(sums.iter()) {
            out.absorb(Partial { count, pivot, sum }, reduction);
        }
    }
}

/// Buffers that a task reuses from chunk to chunk.
#[derive(Default)]
struct Scratch {
    /// Gathered elements of one segment.
    chunk: Vec<f32>,
    /// Offsets of the rows of a chunk of neighbouring segments, and the pivots and sums of its columns.
    rows: Vec<usize>,
    pivots: Vec<f64>,
    sums: Vec<f64>,
}
