//! Reduces segments of a tensor, chunk by chunk: one after the other, or side by side where they interleave.

use std::ops::Range;

use fearless_simd::{Level, dispatch};

use super::lanes::{self, About, Sums};
use super::parallel;
use super::reduction::{FIRST, LANES, Partial, Reduction};
use super::walk::{folded_rows, runs};
use crate::geometry::Geometry;

/// Elements of a chunk of one segment.
pub(super) const CHUNK: usize = 1024;
/// Runs of so many elements are reduced where they are; shorter ones are gathered to chunks.
pub(super) const RUN: usize = 256;
/// Rows of a chunk of neighbouring segments.
pub(super) const ROWS: usize = 64;
/// The most neighbouring segments that are accumulated side by side: a chunk of them stays in the second-level cache.
pub(super) const COLUMNS: usize = 256;
/// Elements of a segment that a task accumulates.
pub(super) const SPAN: usize = 1 << 16;
/// Rows of neighbouring segments that a task accumulates.
pub(super) const SPAN_ROWS: usize = 1 << 11;

/// How segments are reduced.
#[derive(Clone, Copy)]
pub(super) struct Task<'a, R> {
    pub geometry: &'a Geometry,
    pub x: &'a [f32],
    pub reduction: R,
    pub level: Level,
}

impl<R: Reduction> Task<'_, R> {
    /// Reduces the segments from `first` on, one for each of `out`.
    pub fn reduce(&self, threads: usize, first: usize, out: &mut [Partial]) {
        let (tile, span) = match self.side_by_side() {
            true => (self.tile(), SPAN_ROWS * self.fold()),
            false => ((SPAN / self.length()).max(1), SPAN),
        };
        let (spans, segments) = (self.length().div_ceil(span), out.len());
        let reduce = |partials: &mut [Partial]| {
            let tasks = partials.chunks_mut(segments).enumerate().flat_map(|(i, out)| {
                let tiles = out.chunks_mut(tile).enumerate();
                tiles.map(move |(j, out)| (i * span, first + j * tile, out))
            });
            parallel::for_each(threads, tasks, |(start, first, out)| {
                out.fill(Partial::EMPTY);
                self.accumulate(first, start..self.length().min(start + span), out);
            });
        };
        if spans == 1 {
            return reduce(out);
        }
        let mut partials = vec![Partial::EMPTY; spans * segments];
        reduce(&mut partials);
        out.fill(Partial::EMPTY);
        for span in partials.chunks(segments) {
            for (out, &partial) in out.iter_mut().zip(span) {
                out.absorb(partial, self.reduction);
            }
        }
    }

    fn length(&self) -> usize {
        self.geometry.length as usize
    }

    /// True if neighbouring segments lie side by side in memory, and enough of them to be accumulated so.
    fn side_by_side(&self) -> bool {
        let inner = self.geometry.kept.last();
        let wide = inner.is_some_and(|digit| digit.extent as usize >= LANES);
        !self.geometry.inner_reduced && (wide || self.fold() > 1)
    }

    /// Neighbouring segments that a task accumulates side by side: whole rows, where several are accumulated as one, so that what
    /// becomes of one does not depend on the others.
    fn tile(&self) -> usize {
        match (self.fold(), self.geometry.kept.last()) {
            (2.., Some(columns)) => COLUMNS - COLUMNS % columns.extent as usize,
            _ => COLUMNS,
        }
    }

    /// Rows of neighbouring segments that are accumulated as one.
    fn fold(&self) -> usize {
        match (self.geometry.kept.last(), self.geometry.reduced.last()) {
            (Some(columns), Some(rows)) if R::QUICK && !self.geometry.inner_reduced => folded_rows(columns, rows),
            _ => 1,
        }
    }

    /// Absorbs the reduced `positions` of the segments from `first` on.
    fn accumulate(&self, first: usize, positions: Range<usize>, out: &mut [Partial]) {
        let mut done = 0;
        let mut scratch = Scratch::default();
        for run in runs(&self.geometry.kept, first..first + out.len()) {
            let out = &mut out[done..done + run.len];
            done += run.len;
            if self.fold() > 1 {
                self.absorb_folded(run.x, positions.clone(), out, &mut scratch);
                continue;
            }
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
            if stride == 1 && (run.len >= RUN || run.len == all) {
                for values in self.x[start..start + run.len].chunks(CHUNK) {
                    self.absorb_chunk(values, out);
                }
                continue;
            }
            let mut taken = 0;
            while taken < run.len {
                let count = (run.len - taken).min(CHUNK - chunk.len());
                let values = &self.x[start + taken * stride..];
                match stride {
                    1 => chunk.extend_from_slice(&values[..count]),
                    _ => chunk.extend(values.iter().step_by(stride).take(count)),
                }
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
        dispatch!(self.level, simd => out.absorb_chunk(simd, values, self.reduction));
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

    /// Neighbouring segments of narrow rows, several rows at a time: each has a part of every segment.
    fn absorb_folded(&self, start: usize, positions: Range<usize>, out: &mut [Partial], scratch: &mut Scratch) {
        let (columns, fold) = (out.len(), self.fold());
        let mut parts = vec![Partial::EMPTY; fold * columns];
        for run in runs(&self.geometry.reduced, positions) {
            let (start, whole) = (start + run.x, run.len / fold);
            for first in (0..whole).step_by(ROWS) {
                scratch.rows.clear();
                let rows = first..whole.min(first + ROWS);
                scratch.rows.extend(rows.map(|row| start + row * parts.len()));
                self.absorb_rows(&mut parts, scratch);
            }
            let rest = run.len % fold * columns;
            if rest > 0 {
                scratch.rows.clear();
                scratch.rows.push(start + whole * parts.len());
                self.absorb_rows(&mut parts[..rest], scratch);
            }
        }
        for (i, part) in parts.into_iter().enumerate().filter(|(_, part)| part.count > 0.0) {
            out[i % columns].absorb(part, self.reduction);
        }
    }

    /// Sums the columns side by side, in f32; those for which that is not exact enough are reduced one by one.
    fn absorb_rows(&self, out: &mut [Partial], scratch: &mut Scratch) {
        let Scratch {
            chunk,
            rows,
            pivots,
            sums,
        } = scratch;
        let (x, reduction, count) = (self.x, self.reduction, rows.len() as f64);
        if R::QUICK {
            let first = &rows[..rows.len().min(FIRST)];
            let mean = |column: usize| first.iter().map(|row| x[row + column]).sum::<f32>() / first.len() as f32;
            let guess = |(column, out): (usize, &Partial)| reduction.guess(out, || mean(column));
            pivots.clear();
            pivots.extend(out.iter().enumerate().map(guess));
            sums.resize(out.len(), Sums::default());
            lanes::column_sums(self.level, x, rows, pivots, sums);
        }
        for (column, out) in out.iter_mut().enumerate() {
            let known = pivots.get(column).zip(sums.get(column));
            if let Some(Ok(partial)) = known.map(|(&pivot, &sums)| reduction.accept(count, pivot, sums)) {
                out.absorb(partial, reduction);
                continue;
            }
            chunk.clear();
            chunk.extend(rows.iter().map(|row| x[row + column]));
            match known {
                Some((&pivot, &sums)) => {
                    let chunk = About { values: chunk, pivot };
                    out.absorb_sums(self.level, chunk, Some(sums), reduction);
                }
                None => self.absorb_chunk(chunk, out),
            }
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
    pivots: Vec<f32>,
    sums: Vec<Sums>,
}
