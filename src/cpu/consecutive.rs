//! Segments that lie one behind the other: a few of them are reduced and then mapped, while they are in the first caches.
//!
//! All of it is compiled for the processor's instructions as one function, since a call for every segment costs as much as half
//! of a short one. The arithmetic is that of [`segments`](super::segments), chunk by chunk.

use fearless_simd::{Simd, dispatch};

use super::Job;
use super::apply::Mapping;
use super::reduction::{Partial, Reduction};
use super::segments::{CHUNK, SPAN};
use super::statistics::{Statistics, Visitor};
use super::walk::{Pieces, runs};

/// Elements that are reduced before they are mapped, if that many segments hold them: so the processor need not wait for the root
/// and the divisions that make the statistics of a short one. (Two cores of an AMD EPYC, rows of 64: 256 elements take 1.04 to
/// 1.08 of the time of these, 4096 1.14 to 1.23; `benches/records/2026-11-27-cpu-rows.md`.)
const TILE: usize = 1 << 9;

/// Some segments, to be normalized.
pub(super) struct Consecutive<'a> {
    pub job: &'a Job<'a>,
    /// The number of the first.
    pub first: usize,
    pub y: &'a mut [f32],
    /// Of each of them, to be written.
    pub statistics: &'a mut [Statistics],
}

impl Visitor for Consecutive<'_> {
    fn visit<R: Reduction>(self, reduction: R, finish: impl Fn(Partial) -> Statistics) {
        dispatch!(self.job.level, simd => self.run(simd, reduction, finish));
    }
}

impl Consecutive<'_> {
    #[inline(always)]
    fn run<S: Simd, R: Reduction>(self, simd: S, reduction: R, finish: impl Fn(Partial) -> Statistics) {
        let Self {
            job,
            first,
            y,
            statistics,
        } = self;
        let (len, count) = (job.walk.length(), statistics.len());
        let tile = (TILE / len).max(1);
        let mut pieces = Pieces::new(runs(&job.walk.memory, first * len..(first + count) * len));
        for (i, (y, statistics)) in (y.chunks_mut(tile * len)).zip(statistics.chunks_mut(tile)).enumerate() {
            let first = first + i * tile;
            let x = job.x[first * len..].chunks(len);
            for (x, statistics) in x.zip(&mut *statistics) {
                *statistics = finish(reduced(simd, x, reduction));
            }
            let mapping = Mapping::new(job, first, statistics);
            let mut rest = y;
            while !rest.is_empty()
                && let Some(run) = pieces.next(rest.len())
            {
                let (y, after) = rest.split_at_mut(run.len);
                mapping.map_segment(simd, &run, y);
                rest = after;
            }
        }
    }
}

/// The reduction of one segment.
#[inline(always)]
fn reduced<S: Simd, R: Reduction>(simd: S, x: &[f32], reduction: R) -> Partial {
    let mut spans = Partial::EMPTY;
    for x in x.chunks(SPAN) {
        let mut span = Partial::EMPTY;
        for chunk in x.chunks(CHUNK) {
            span.absorb_chunk(simd, chunk, reduction);
        }
        spans.absorb(span, reduction);
    }
    spans
}
