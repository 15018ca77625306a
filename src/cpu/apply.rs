use fearless_simd::{Simd, dispatch};

use super::Job;
use super::lanes::Lines;
use super::statistics::Statistics;
use super::walk::{Run, Walk, runs};

/// Elements that a task maps.
pub(super) const SPAN: usize = 1 << 15;

/// Weight and bias.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'a> {
    pub weight: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
}

impl Parameters<'_> {
    /// Weight and bias at an index; an absent one is 1 or 0.
    fn at(&self, index: usize) -> (f32, f32) {
        let value = |given: Option<&[f32]>, absent| given.map_or(absent, |given| given[index]);
        (value(self.weight, 1.0), value(self.bias, 0.0))
    }

    /// What weight and bias at `index` make of a normalized value.
    pub fn map(&self, value: f64, index: usize) -> f32 {
        let (weight, bias) = self.at(index);
        (value * f64::from(weight) + f64::from(bias)) as f32
    }
}

/// Maps the elements of x from `start` on to `y`; `statistics` are those of the segments from `first` on.
pub(super) fn apply(job: &Job<'_>, start: usize, mut y: &mut [f32], first: usize, statistics: &[Statistics]) {
    let mut mapping = Mapping::new(job, first, statistics);
    for run in runs(&job.walk.mapped, start..start + y.len()) {
        let (head, tail) = y.split_at_mut(run.len);
        y = tail;
        match job.walk.fold {
            1 => mapping.map(&run, head),
            _ => mapping.map_rows(&run, head),
        }
    }
}

/// The map of consecutive runs.
pub(super) struct Mapping<'a> {
    job: &'a Job<'a>,
    first: usize,
    statistics: &'a [Statistics],
    /// Record, weight and number of the columns of the last run that had any: rows that follow each other have the
    /// same.
    columns: Option<(usize, usize, usize)>,
    lines: Lines,
    /// Columns for which lines are not exact enough.
    exactly: Vec<usize>,
}

impl<'a> Mapping<'a> {
    /// `statistics` are those of the segments from `first` on.
    pub fn new(job: &'a Job<'a>, first: usize, statistics: &'a [Statistics]) -> Self {
        Self {
            job,
            first,
            statistics,
            columns: None,
            lines: Lines::default(),
            exactly: Vec::new(),
        }
    }

    /// Maps the elements of a run.
    pub fn map(&mut self, run: &Run, y: &mut [f32]) {
        // Along a run both the statistics and the parameters are either constant or contiguous.
        match run.inner.record {
            0 => dispatch!(self.job.level, simd => self.map_segment(simd, run, y)),
            _ => self.map_columns(run, y),
        }
    }

    /// Maps the elements of a run in one segment.
    #[inline(always)]
    pub fn map_segment<S: Simd>(&self, simd: S, run: &Run, y: &mut [f32]) {
        let (x, parameters) = (&self.job.x[run.x..][..run.len], &self.job.parameters);
        let segment = &self.statistics[run.record - self.first];
        let each = run.inner.weight != 0;
        let (weight, bias) = if each { (1.0, 0.0) } else { parameters.at(run.weight) };
        let Some(line) = segment.line(weight, bias) else {
            for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
                *y = self.map_exactly(x, segment, run.weight + i * run.inner.weight as usize);
            }
            return;
        };
        let part = |parameter: Option<&'a [f32]>| match parameter {
            Some(parameter) if each => Some(&parameter[run.weight..][..run.len]),
            _ => None,
        };
        line.map(simd, x, y, part(parameters.weight), part(parameters.bias));
    }

    /// Maps an element of each of some segments.
    fn map_columns(&mut self, run: &Run, y: &mut [f32]) {
        let x = &self.job.x[run.x..][..run.len];
        let columns = (run.record, run.weight, run.len);
        if self.columns != Some(columns) {
            self.lines.clear();
            self.prepare_columns(columns, run.inner.weight as usize);
            self.columns = Some(columns);
        }
        self.lines.map(self.job.level, 0, x, y);
        for &column in &self.exactly {
            let segment = &self.statistics[run.record - self.first + column];
            y[column] = self.map_exactly(x[column], segment, run.weight + column * run.inner.weight as usize);
        }
    }

    /// Maps elements of rows of neighbouring segments, several rows at once.
    fn map_rows(&mut self, run: &Run, y: &mut [f32]) {
        let Walk { fold, ref memory, .. } = *self.job.walk;
        let Some(inner) = memory.last() else { return };
        let (width, weight_step) = (inner.extent as usize, inner.weight as usize);
        let x = &self.job.x[run.x..][..run.len];
        let columns = (run.record, run.weight, width);
        if self.columns != Some(columns) {
            self.lines.clear();
            // One more, since runs begin at any column.
            for _ in 0..=fold {
                self.prepare_columns(columns, weight_step);
            }
            self.columns = Some(columns);
        }
        let phase = run.x % width;
        for (x, y) in x.chunks(fold * width).zip(y.chunks_mut(fold * width)) {
            self.lines.map(self.job.level, phase, x, y);
        }
        for &column in &self.exactly {
            let segment = &self.statistics[run.record - self.first + column];
            for i in ((column + width - phase) % width..x.len()).step_by(width) {
                y[i] = self.map_exactly(x[i], segment, run.weight + column * weight_step);
            }
        }
    }

    /// Lines of further columns: of so many segments from a record on, and from a weight on that many apart.
    fn prepare_columns(&mut self, (record, weight, count): (usize, usize, usize), weight_step: usize) {
        self.exactly.clear();
        for (column, segment) in self.statistics[record - self.first..][..count].iter().enumerate() {
            let (weight, bias) = self.job.parameters.at(weight + column * weight_step);
            let line = segment.line(weight, bias);
            if line.is_none() {
                self.exactly.push(column);
            }
            self.lines.push(line.unwrap_or_default());
        }
    }

    /// Maps an element in f64.
    fn map_exactly(&self, x: f32, segment: &Statistics, parameter: usize) -> f32 {
        let value = (f64::from(x) - segment.mean) * segment.rstd;
        self.job.parameters.map(value, parameter)
    }
}
