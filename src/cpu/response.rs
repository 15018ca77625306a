use rayon::prelude::*;

use super::Job;
use super::apply::SPAN;
use super::walk::runs;
use crate::spec::Window;

/// Maps x to y by the squares of each element's neighbours along the reduced axis.
pub(super) fn apply(job: &Job<'_>, window: Window, y: &mut [f32]) {
    let Job {
        walk, x, parameters, ..
    } = *job;
    // x is dense: a position tells its channel. An axis of extent 1 has no digit.
    let (channels, stride) = match walk.statistics.reduced.first() {
        Some(digit) => (digit.extent as usize, digit.x as usize),
        None => (1, x.len()),
    };
    let (left, right) = (window.left as usize, window.right as usize);
    y.par_chunks_mut(SPAN).enumerate().for_each(|(i, mut y)| {
        let mut sums = Vec::new();
        let start = i * SPAN;
        for run in runs(&walk.memory, start..start + y.len()) {
            let (head, tail) = y.split_at_mut(run.len);
            y = tail;
            // What lies side by side is of one channel, or each element of its own.
            let width = if stride == 1 { 1 } else { run.len };
            for (row, y) in head.chunks_mut(width).enumerate() {
                let offset = row * width;
                let position = run.x + offset;
                let channel = position / stride % channels;
                let neighbours = channel.saturating_sub(left)..channels.min(channel + right + 1);
                sums.clear();
                sums.resize(width, 0.0);
                for neighbour in neighbours {
                    add_squares(&x[position - channel * stride + neighbour * stride..], &mut sums);
                }
                for (j, ((y, &x), &sum)) in y.iter_mut().zip(&x[position..]).zip(&sums).enumerate() {
                    let parameter = run.weight + (offset + j) * run.inner.weight as usize;
                    *y = parameters.map(f64::from(x) / divisor(&window, sum), parameter);
                }
            }
        }
    });
}

fn add_squares(x: &[f32], sums: &mut [f64]) {
    for (sum, &x) in sums.iter_mut().zip(x) {
        *sum += f64::from(x) * f64::from(x);
    }
}

fn divisor(window: &Window, sum: f64) -> f64 {
    (f64::from(window.k) + f64::from(window.scale) * sum).powf(f64::from(window.beta))
}
