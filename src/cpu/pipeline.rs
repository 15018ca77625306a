//! Segments that lie one behind the other: while one is mapped, the next is reduced.
//!
//! So the memory reads and writes at the same time. The arithmetic is that of [`segments`](super::segments), chunk by
//! chunk.

use super::Job;
use super::apply::Mapping;
use super::lanes::{About, NOTHING, Sums};
use super::reduction::{Partial, Reduction};
use super::segments::{CHUNK, SPAN};
use super::statistics::{Statistics, Visitor};
use super::walk::runs;

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
        let (job, len) = (self.job, self.job.walk.length());
        let segment = |number: usize| &job.x[number * len..][..len];
        let end = self.first + self.statistics.len();
        let mut ahead = Ahead::new(job, reduction);
        for values in segment(self.first).chunks(CHUNK) {
            ahead.absorb(ahead.guess(values), None);
        }
        let segments = self.y.chunks_mut(len).zip(self.statistics);
        for (number, (y, statistics)) in (self.first..).zip(segments) {
            *statistics = finish(ahead.finish());
            let mut mapping = Mapping::new(job, number, std::slice::from_ref(statistics));
            let next = if number + 1 < end { segment(number + 1) } else { &[] };
            ahead = Ahead::new(job, reduction);
            for (i, y) in y.chunks_mut(CHUNK).enumerate() {
                let start = i * CHUNK;
                match next.get(start..start + y.len()) {
                    Some(values) => {
                        let values = ahead.guess(values);
                        let sums = map(job, &mut mapping, number * len + start, y, values);
                        ahead.absorb(values, sums.filter(|_| R::QUICK));
                    }
                    None => {
                        map(job, &mut mapping, number * len + start, y, NOTHING);
                    }
                }
            }
        }
    }
}

/// Maps the elements from `start` on to y, and sums as many values ahead, unless y is in pieces.
fn map(job: &Job<'_>, mapping: &mut Mapping<'_>, start: usize, mut y: &mut [f32], ahead: About<'_>) -> Option<Sums> {
    let len = y.len();
    for run in runs(&job.walk.memory, start..start + len) {
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
