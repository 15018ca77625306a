//! Segments in several pieces, all elements of one weight: each is summed and mapped while it is cached.

use super::Pass;
use super::lanes::{self, Sums};
use super::sums::SumTable;
use crate::cpu::parallel;
use crate::cpu::statistics::Statistics;
use crate::cpu::walk::{Run, runs};

impl Pass<'_> {
    pub fn by_segments(&self, dx: &mut [f32], parameters: &mut SumTable) {
        let elements = self.walk.elements();
        let mut segments: Vec<Vec<(Run, &mut [f32])>> = Vec::new();
        segments.resize_with(self.walk.segments(), Vec::new);
        let mut rest = &mut *dx;
        for run in runs(&self.walk.memory, 0..elements) {
            let (head, tail) = rest.split_at_mut(run.len.min(rest.len()));
            rest = tail;
            segments[run.record].push((run, head));
        }
        let mut results = vec![(Statistics::default(), None); segments.len()];
        let items = segments.into_iter().zip(&mut results).enumerate();
        parallel::for_each(self.threads, items, |(segment, (runs, (statistics, sums)))| {
            self.statistics(1, segment, std::slice::from_mut(statistics));
            *sums = self.segment(runs, statistics);
        });
        for (segment, (statistics, sums)) in results.into_iter().enumerate() {
            let mut of_segment = runs(&self.walk.memory, 0..elements).filter(move |run| run.record == segment);
            match sums {
                Some(sums) if self.adds_parameters() => {
                    if let Some(run) = of_segment.next() {
                        parameters.add(run.weight, sums);
                    }
                }
                Some(_) => {}
                None => self.exactly(of_segment, 0, segment, &[statistics], dx, parameters),
            }
        }
    }

    /// Maps a segment in f32, and gives its sums of dy; `None` where f32 is not exact enough.
    fn segment(&self, runs: Vec<(Run, &mut [f32])>, statistics: &Statistics) -> Option<Sums<f64>> {
        let line = statistics.line(1.0, 0.0)?;
        let mut sums = Sums::default();
        for (run, _) in &runs {
            sums.add(&self.sum_run(run, line));
        }
        let weight = runs.first().map_or(1.0, |(run, _)| self.weight_at(run.weight));
        let slope = self.slope(statistics, sums.times(weight)).narrow(weight)?;
        if !sums.are_finite() {
            return None;
        }
        for (run, dx) in runs {
            lanes::map(self.level, self.operands(&run), line, slope, dx, None);
        }
        Some(sums)
    }
}
