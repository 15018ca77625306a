//! Segments that lie one behind the other: each is mapped while it is in the cache; where they are short, the one after the next
//! is reduced meanwhile.
//!
//! So the memory reads and writes at the same time. The arithmetic is that of [`segments`](super::segments), chunk by
//! chunk.

use super::Job;
use super::apply::Mapping;
use super::lanes::{About, NOTHING, Sums};
use super::reduction::{Partial, Reduction};
use super::segments::{CHUNK, SPAN};
use super::statistics::{Statistics, Visitor};
use super::walk::{Pieces, Run, runs};

/// Segments up to this length are reduced so many ahead: so the processor need not wait for the root and the divisions that
/// make the statistics of the next one. Longer ones would take the cache from each other. (Two cores of an AMD EPYC with 1 MiB of
/// L2 each, layer norm of 512x8192, of the best of PyTorch and ONNX Runtime: 0.90 two ahead, 1.15 just before;
/// `benches/records/2026-11-27-cpu-peers-ahead.json` and `2026-11-27-cpu-peers.json`.)
pub(super) const SHORT: usize = 1 << 11;
const DEPTH: usize = 2;

/// Some segments, to be normalized.
pub(super) struct Pipeline<'a> {
    pub job: &'a Job<'a>,
    /// The number of the first.
    pub first: usize,
    pub y: &'a mut [f32],
    /// Of each of them, to be written.
    pub statistics: &'a mut [Statistics],
}

impl Visitor for Pipeline<'_> {
    fn visit<R: Reduction>(self, reduction: R, finish: impl Fn(Partial) -> Statistics) {
        let Self {
            job,
            first,
            y,
            statistics,
        } = self;
        let (len, count) = (job.walk.length(), statistics.len());
        let segment = |i: usize| &job.x[(first + i) * len..][..len];
        let reduced = |i: usize| {
            let mut own = Ahead::new(job, reduction);
            for values in segment(i).chunks(CHUNK) {
                own.absorb(own.guess(values), None);
            }
            finish(own.finish())
        };
        let depth = if len <= SHORT { DEPTH } else { 0 };
        for (i, statistics) in statistics.iter_mut().take(depth).enumerate() {
            *statistics = reduced(i);
        }
        let mut pieces = Pieces::new(runs(&job.walk.memory, first * len..(first + count) * len));
        for (i, y) in y.chunks_mut(len).enumerate() {
            if depth == 0 {
                statistics[i] = reduced(i);
            }
            let mut mapping = Mapping::new(job, first + i, &statistics[i..=i]);
            if depth == 0 || i + depth >= count {
                map(&mut mapping, &mut pieces, y, NOTHING);
                continue;
            }
            let mut ahead = Ahead::new(job, reduction);
            for (y, values) in y.chunks_mut(CHUNK).zip(segment(i + depth).chunks(CHUNK)) {
                let values = ahead.guess(values);
                let sums = map(&mut mapping, &mut pieces, y, values);
                ahead.absorb(values, sums.filter(|_| R::QUICK));
            }
            statistics[i + depth] = finish(ahead.finish());
        }
    }
}

/// Maps the next elements to y, and sums as many values ahead, unless y is in pieces.
fn map(
    mapping: &mut Mapping<'_>,
    pieces: &mut Pieces<impl Iterator<Item = Run>>,
    mut y: &mut [f32],
    ahead: About<'_>,
) -> Option<Sums> {
    let len = y.len();
    while !y.is_empty()
        && let Some(run) = pieces.next(y.len())
    {
        if run.len == len {
            return Some(mapping.map_and_sum(&run, y, ahead));
        }
        let (head, tail) = y.split_at_mut(run.len);
        y = tail;
        mapping.map(&run, head);
    }
    None
}

/// The reduction of one segment.
struct Ahead<'a, R> {
    job: &'a Job<'a>,
    reduction: R,
    /// Of all spans that are over, and of the one that is not.
    spans: Partial,
    span: Partial,
}

impl<'a, R: Reduction> Ahead<'a, R> {
    fn new(job: &'a Job<'a>, reduction: R) -> Self {
        Self {
            job,
            reduction,
            spans: Partial::EMPTY,
            span: Partial::EMPTY,
        }
    }

    /// The next values, with their pivot.
    fn guess<'v>(&self, values: &'v [f32]) -> About<'v> {
        let pivot = self.span.guess(values, self.reduction);
        About { values, pivot }
    }

    fn absorb(&mut self, values: About<'_>, sums: Option<Sums>) {
        self.span.absorb_sums(self.job.level, values, sums, self.reduction);
        if self.span.count >= SPAN as f64 {
            self.end_span();
        }
    }

    fn end_span(&mut self) {
        self.spans.absorb(self.span, self.reduction);
        self.span = Partial::EMPTY;
    }

    fn finish(mut self) -> Partial {
        if self.span.count > 0.0 {
            self.end_span();
        }
        self.spans
    }
}
