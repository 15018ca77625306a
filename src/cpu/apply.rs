use std::borrow::Cow;

use rayon::prelude::*;

use super::statistics::Statistics;
use super::walk::{Walk, runs};
use crate::spec::Operation;

/// Elements that a task maps.
pub(super) const SPAN: usize = 1 << 14;

/// Weight and bias as the loops read them: always both, an absent one filled in.
pub(super) struct Parameters<'a> {
    weight: Cow<'a, [f32]>,
    bias: Cow<'a, [f32]>,
}

impl<'a> Parameters<'a> {
    pub fn new(operation: &Operation, weight: Option<&'a [f32]>, bias: Option<&'a [f32]>) -> Self {
        // Without either the walk merges digits as if they were broadcast: one element is enough.
        let len = match operation.weight || operation.bias {
            true => operation.weight_len as usize,
            false => 1,
        };
        let or = |given: Option<&'a [f32]>, value| given.map_or_else(|| Cow::Owned(vec![value; len]), Cow::Borrowed);
        Self {
            weight: or(weight, 1.0),
            bias: or(bias, 0.0),
        }
    }

    /// What weight and bias at `index` make of a normalized value.
    pub fn map(&self, value: f64, index: usize) -> f32 {
        affine(value, self.weight[index], self.bias[index])
    }
}

/// Maps the elements of x from `start` on to `y`; `statistics` are those of the segments from `first` on.
pub(super) fn apply(
    walk: &Walk,
    x: &[f32],
    start: usize,
    y: &mut [f32],
    first: usize,
    statistics: &[Statistics],
    parameters: &Parameters<'_>,
) {
    y.par_chunks_mut(SPAN).enumerate().for_each(|(i, mut y)| {
        let start = start + i * SPAN;
        for run in runs(&walk.memory, start..start + y.len()) {
            let (head, tail) = y.split_at_mut(run.len);
            y = tail;
            let pairs = head.iter_mut().zip(&x[run.x..]);
            let statistics = &statistics[run.record - first..];
            let (weight, bias) = (&parameters.weight[run.weight..], &parameters.bias[run.weight..]);
            // Along a run both the statistics and the parameters are either constant or contiguous.
            match (run.inner.record, run.inner.weight) {
                (0, 0) => {
                    let (segment, weight, bias) = (statistics[0], weight[0], bias[0]);
                    pairs.for_each(|(y, &x)| *y = normalize(x, &segment, weight, bias));
                }
                (0, _) => {
                    let segment = statistics[0];
                    let pairs = pairs.zip(weight.iter().zip(bias));
                    pairs.for_each(|((y, &x), (&weight, &bias))| *y = normalize(x, &segment, weight, bias));
                }
                (_, 0) => {
                    let (weight, bias) = (weight[0], bias[0]);
                    let pairs = pairs.zip(statistics);
                    pairs.for_each(|((y, &x), segment)| *y = normalize(x, segment, weight, bias));
                }
                (_, _) => {
                    let pairs = pairs.zip(statistics).zip(weight.iter().zip(bias));
                    pairs.for_each(|(((y, &x), segment), (&weight, &bias))| *y = normalize(x, segment, weight, bias));
                }
            }
        }
    });
}

fn normalize(x: f32, segment: &Statistics, weight: f32, bias: f32) -> f32 {
    affine((f64::from(x) - segment.mean) * segment.rstd, weight, bias)
}

fn affine(value: f64, weight: f32, bias: f32) -> f32 {
    (value * f64::from(weight) + f64::from(bias)) as f32
}
