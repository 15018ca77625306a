//! Local response norm, in f64.

use super::Pass;
use super::lanes::Sums;
use super::rows::parts;
use super::sums::SumTable;
use crate::cpu::parallel;
use crate::cpu::walk::runs;
use crate::spec::Window;

/// Elements that lie side by side and are taken together.
const WIDTH: usize = 256;

impl Pass<'_> {
    /// ```text
    /// d[c] = k + scale * sum(x^2 over the window of c)
    /// dx[j] = g[j] / d[j]^beta - 2 scale beta x[j] sum(g[c] x[c] / d[c]^(beta + 1) over c with j in its window)
    /// ```
    pub fn by_windows(&self, window: Window, dx: &mut [f32]) -> SumTable {
        let digit = self.walk.statistics.reduced.first();
        let (channels, stride) = digit.map_or((1, self.x.len()), |digit| (digit.extent as usize, digit.x as usize));
        // A slab has all channels of consecutive places.
        let slab = channels * stride;
        let slabs = self.x.len() / slab;
        let share = slabs.div_ceil(self.tasks(slabs));
        let tasks = slabs.div_ceil(share);
        let mut sums: Vec<_> = (0..tasks).map(|_| SumTable::default()).collect();
        let items = parts(dx, share * slab, tasks).into_iter().zip(&mut sums).enumerate();
        parallel::for_each(self.threads, items, |(i, (dx, sums))| {
            *sums = SumTable::new(self.weights());
            let first = i * share;
            for (j, dx) in parts(dx, slab, share.min(slabs - first)).into_iter().enumerate() {
                self.slab(window, (first + j) * slab, channels, stride, dx, sums);
            }
        });
        let mut all = SumTable::new(self.weights());
        sums.into_iter().for_each(|sums| all.absorb(sums));
        all
    }

    fn slab(
        &self,
        window: Window,
        start: usize,
        channels: usize,
        stride: usize,
        dx: &mut [f32],
        parameters: &mut SumTable,
    ) {
        let len = channels * stride;
        // The weight of every element.
        let mut weights = Vec::with_capacity(len);
        for run in runs(&self.walk.memory, start..start + len) {
            weights.extend((0..run.len).map(|i| run.weight + i * run.inner.weight as usize));
        }
        let [scale, k, beta] = [window.scale, window.k, window.beta].map(f64::from);
        for first in (0..stride).step_by(WIDTH) {
            let width = WIDTH.min(stride - first);
            let at = |channel: usize, i: usize| channel * stride + first + i;
            let x = |channel: usize, i: usize| f64::from(self.x[start + at(channel, i)]);
            let dy = |channel: usize, i: usize| f64::from(self.dy[start + at(channel, i)]);
            let around = |c: usize, before: u32, after: u32| {
                c.saturating_sub(before as usize)..channels.min(c.saturating_add(after as usize).saturating_add(1))
            };
            // Of every channel: 1 / d^beta, and g x / d^(beta + 1).
            let mut factors = vec![0.0; channels * width];
            let mut terms = vec![0.0; channels * width];
            for c in 0..channels {
                for i in 0..width {
                    let squares: f64 = around(c, window.left, window.right).map(|j| x(j, i).powi(2)).sum();
                    let d = k + scale * squares;
                    let factor = d.powf(-beta);
                    let p = weights[at(c, i)];
                    factors[c * width + i] = factor;
                    terms[c * width + i] = dy(c, i) * self.weight_at(p) * x(c, i) * d.powf(-beta - 1.0);
                    if self.adds_parameters() {
                        let sums = Sums {
                            gradients: dy(c, i),
                            products: dy(c, i) * x(c, i) * factor,
                        };
                        parameters.add(p, sums);
                    }
                }
            }
            if dx.is_empty() {
                continue;
            }
            for c in 0..channels {
                for i in 0..width {
                    let sum: f64 = around(c, window.right, window.left).map(|j| terms[j * width + i]).sum();
                    let g = dy(c, i) * self.weight_at(weights[at(c, i)]);
                    let value = g * factors[c * width + i] - 2.0 * scale * beta * x(c, i) * sum;
                    dx[at(c, i)] = value as f32;
                }
            }
        }
    }
}
