//! Mean and sum of squared deviations of segments, in f64.
//!
//! A chunk's mean is taken first and the deviations from it in a second pass, while the chunk is in the cache;
//! chunks are merged by the rule of Chan, Golub and LeVeque (1979). Squares of f32 neither overflow nor vanish in
//! f64. A constant segment has exactly its value as mean and 0 as sum: its sums are exact.

use std::ops::Range;

use rayon::prelude::*;

use super::walk::runs;
use crate::geometry::Geometry;
use crate::spec::Statistic;

/// Elements of a chunk of one segment.
pub(super) const CHUNK: usize = 1024;
/// Rows of a chunk of neighbouring segments.
pub(super) const ROWS: usize = 32;
/// Independent sums, so that additions overlap and vectorize.
pub(super) const LANES: usize = 8;
/// The most neighbouring segments that are accumulated side by side; their sums stay in the first-level cache.
pub(super) const COLUMNS: usize = 256;
/// Elements of a segment that a task accumulates.
pub(super) const SPAN: usize = 1 << 16;
/// Rows of neighbouring segments that a task accumulates.
pub(super) const SPAN_ROWS: usize = 1 << 12;

/// Count, mean and sum of squared deviations (about 0 for [`Statistic::MeanSquare`], whose mean stays 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub count: f64,
    pub mean: f64,
    pub m2: f64,
}

impl Moments {
    pub const EMPTY: Self = Self {
        count: 0.0,
        mean: 0.0,
        m2: 0.0,
    };

    /// Merges in the moments of further elements.
    fn absorb(&mut self, other: Self) {
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let share = other.count / count;
        let distance = other.mean - self.mean;
        self.mean += distance * share;
        self.m2 += other.m2 + distance * distance * self.count * share;
        self.count = count;
    }

    /// The moments of one chunk.
    fn of(values: &[f32], statistic: Statistic) -> Self {
        let count = values.len() as f64;
        let mean = match statistic {
            Statistic::MeanVariance => sum(values, f64::from) / count,
            _ => 0.0,
        };
        let square = |value| {
            let deviation = f64::from(value) - mean;
            deviation * deviation
        };
        Self {
            count,
            mean,
            m2: sum(values, square),
        }
    }
}

fn sum(values: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|&value| term(value)).sum();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// The moments of the segments from `first` on, one for each of `out`.
pub(super) fn compute(geometry: &Geometry, x: &[f32], statistic: Statistic, first: usize, out: &mut [Moments]) {
    let task = Task { geometry, x, statistic };
    let (tile, span) = match task.side_by_side() {
        true => (COLUMNS, SPAN_ROWS),
        false => ((SPAN / task.length()).max(1), SPAN),
    };
    out.par_chunks_mut(tile).enumerate().for_each(|(i, out)| {
        let spans = task.length().div_ceil(span);
        let partials: Vec<Vec<Moments>> = (0..spans)
            .into_par_iter()
            .map(|j| {
                let positions = j * span..task.length().min((j + 1) * span);
                let mut partial = vec![Moments::EMPTY; out.len()];
                task.accumulate(first + i * tile, positions, &mut partial);
                partial
            })
            .collect();
        out.fill(Moments::EMPTY);
        for partial in partials {
            out.iter_mut()
                .zip(partial)
                .for_each(|(out, partial)| out.absorb(partial));
        }
    });
}

/// What all tasks of one call read.
#[derive(Clone, Copy)]
struct Task<'a> {
    geometry: &'a Geometry,
    x: &'a [f32],
    statistic: Statistic,
}

impl Task<'_> {
    fn length(&self) -> usize {
        self.geometry.length as usize
    }

    /// True if neighbouring segments lie side by side in memory, and enough of them to be accumulated so.
    fn side_by_side(&self) -> bool {
        let inner = self.geometry.kept.last();
        !self.geometry.inner_reduced && inner.is_some_and(|digit| digit.extent as usize >= LANES)
    }

    /// Absorbs the reduced `positions` of the segments from `first` on.
    fn accumulate(&self, first: usize, positions: Range<usize>, out: &mut [Moments]) {
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
    fn absorb_segment(&self, start: usize, positions: Range<usize>, out: &mut Moments, chunk: &mut Vec<f32>) {
        chunk.clear();
        let all = positions.len();
        for run in runs(&self.geometry.reduced, positions) {
            let (start, stride) = (start + run.x, run.inner.x as usize);
            if stride == 1 && (run.len >= CHUNK || run.len == all) {
                for values in self.x[start..start + run.len].chunks(CHUNK) {
                    out.absorb(Moments::of(values, self.statistic));
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
                    out.absorb(Moments::of(chunk, self.statistic));
                    chunk.clear();
                }
            }
        }
        if !chunk.is_empty() {
            out.absorb(Moments::of(chunk, self.statistic));
        }
    }

    /// Neighbouring segments, row by row: the first element of each is at `start`.
    fn absorb_columns(&self, start: usize, positions: Range<usize>, out: &mut [Moments], scratch: &mut Scratch) {
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

    fn absorb_rows(&self, out: &mut [Moments], scratch: &mut Scratch) {
        let Scratch { rows, mean, m2, .. } = scratch;
        for sums in [&mut *mean, &mut *m2] {
            sums.clear();
            sums.resize(out.len(), 0.0);
        }
        let count = rows.len() as f64;
        if self.statistic == Statistic::MeanVariance {
            for &row in rows.iter() {
                for (sum, &value) in mean.iter_mut().zip(&self.x[row..]) {
                    *sum += f64::from(value);
                }
            }
            mean.iter_mut().for_each(|sum| *sum /= count);
        }
        for &row in rows.iter() {
            for ((sum, mean), &value) in m2.iter_mut().zip(mean.iter()).zip(&self.x[row..]) {
                let deviation = f64::from(value) - mean;
                *sum += deviation * deviation;
            }
        }
        for ((out, &mean), &m2) in out.iter_mut().zip(mean.iter()).zip(m2.iter()) {
            out.absorb(Moments { count, mean, m2 });
        }
    }
}

/// Buffers that a task reuses from chunk to chunk.
#[derive(Default)]
struct Scratch {
    /// Gathered elements of one segment.
    chunk: Vec<f32>,
    /// Offsets of the rows of a chunk of neighbouring segments, and the sums of its columns.
    rows: Vec<usize>,
    mean: Vec<f64>,
    m2: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_merge_to_the_whole() {
        let values: Vec<f32> = (0..1000).map(|i| 1e6 + (i * i % 17) as f32).collect();
        let whole = Moments::of(&values, Statistic::MeanVariance);
        let mut merged = Moments::EMPTY;
        for chunk in values.chunks(7) {
            merged.absorb(Moments::of(chunk, Statistic::MeanVariance));
        }
        assert_eq!(merged.count, 1000.0);
        assert!((merged.mean - whole.mean).abs() < 1e-9);
        // A mean of 1e6 has 1e-10 of rounding in f64, next to deviations of about 1.
        assert!((merged.m2 / whole.m2 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_constant_has_no_deviation() {
        let mut merged = Moments::of(&[1234.1; 1000], Statistic::MeanVariance);
        merged.absorb(Moments::of(&[1234.1; 7], Statistic::MeanVariance));
        assert_eq!((merged.mean, merged.m2), (f64::from(1234.1f32), 0.0));
    }
}
