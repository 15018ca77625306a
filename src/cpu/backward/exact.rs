//! The backward pass in f64, element by element: for norms other than the 2-norm, and where f32 would overflow.

use super::Pass;
use super::lanes::Sums;
use super::slope::{Slope, derivative};
use super::sums::SumTable;
use crate::cpu::statistics::Statistics;
use crate::cpu::walk::Run;
use crate::spec::Statistic;

impl Pass<'_> {
    /// The gradients of the elements in `runs`, all of their segments: `statistics` are those from segment `first` on,
    /// and `dx` begins at element `origin`.
    pub fn exactly(
        &self,
        runs: impl Iterator<Item = Run> + Clone,
        origin: usize,
        first: usize,
        statistics: &[Statistics],
        dx: &mut [f32],
        parameters: &mut SumTable,
    ) {
        let mut sums = vec![Sums::default(); statistics.len()];
        let mut largest = vec![(0.0, 0.0); statistics.len()];
        let counts_largest = matches!(self.operation.statistic, Statistic::Norm { p: f32::INFINITY });
        let adds = self.adds_parameters();
        for run in runs.clone() {
            for i in 0..run.len {
                let (element, segment) = (run.x + i, run.record + i * run.inner.record as usize - first);
                let p = run.weight + i * run.inner.weight as usize;
                let x_hat = self.x_hat(element, &statistics[segment]);
                let dy = f64::from(self.dy[element]);
                let g = dy * self.weight_at(p);
                sums[segment].gradients += g;
                sums[segment].products += g * x_hat;
                if counts_largest {
                    count_largest(&mut largest[segment], f64::from(self.x[element]).abs());
                }
                if adds {
                    let sums = Sums {
                        gradients: dy,
                        products: dy * x_hat,
                    };
                    parameters.add(p, sums);
                }
            }
        }
        if !self.gradients.dx {
            return;
        }
        let slopes: Vec<Slope> = (sums.iter().zip(statistics))
            .map(|(sums, statistics)| self.slope(statistics, *sums))
            .collect();
        for run in runs {
            for i in 0..run.len {
                let (element, segment) = (run.x + i, run.record + i * run.inner.record as usize - first);
                let g = f64::from(self.dy[element]) * self.weight_at(run.weight + i * run.inner.weight as usize);
                let x_hat = self.x_hat(element, &statistics[segment]);
                let direction = match self.operation.statistic {
                    Statistic::Norm { p } => derivative(f64::from(self.x[element]), x_hat, p, largest[segment]),
                    _ => x_hat,
                };
                dx[element - origin] = slopes[segment].at(g, direction) as f32;
            }
        }
    }

    fn x_hat(&self, element: usize, statistics: &Statistics) -> f64 {
        (f64::from(self.x[element]) - statistics.mean) * statistics.rstd
    }
}

/// Takes a magnitude into the largest so far and how many there are of it.
fn count_largest((largest, count): &mut (f64, f64), magnitude: f64) {
    if magnitude > *largest {
        (*largest, *count) = (magnitude, 1.0);
    } else if magnitude == *largest {
        *count += 1.0;
    }
}
