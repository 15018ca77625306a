//! What a segment's sums make of its dx.

use super::Pass;
use super::lanes::{self, Sums};
use crate::cpu::statistics::Statistics;
use crate::spec::{EpsRule, Source, Statistic};

/// `dx = g * of_g + x_hat * of_x_hat + constant`; for norms the derivative of the norm takes the place of x_hat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    pub of_g: f64,
    pub of_x_hat: f64,
    pub constant: f64,
}

impl Slope {
    pub fn at(&self, g: f64, x_hat: f64) -> f64 {
        // Where dx does not depend on x, it is finite for an infinite x too.
        let of_x_hat = if self.of_x_hat == 0.0 {
            0.0
        } else {
            x_hat * self.of_x_hat
        };
        g * self.of_g + (of_x_hat + self.constant)
    }

    /// The slope in f32, where g is dy times a constant `weight`.
    pub fn rounded(&self, weight: f64) -> lanes::Slope {
        lanes::Slope {
            of_g: (self.of_g * weight) as f32,
            of_x_hat: self.of_x_hat as f32,
            constant: self.constant as f32,
        }
    }

    /// The same if it is in range.
    pub fn narrow(&self, weight: f64) -> Option<lanes::Slope> {
        let slope = self.rounded(weight);
        let coefficients = [slope.of_g, slope.of_x_hat, slope.constant];
        coefficients.iter().all(|c| c.is_finite()).then_some(slope)
    }
}

impl Pass<'_> {
    /// The slope of a segment by `sum(g)` and `sum(g x_hat)`.
    ///
    /// ```text
    /// mean and variance: dx = r (g - sum(g) / n - x_hat sum(g x_hat) / (n - ddof))
    /// eps on deviation:  dx = r (g - sum(g) / n) - x_hat sum(g x_hat) / (n std)
    /// mean square:       dx = r (g - x_hat sum(g x_hat) / n)
    /// norm:              dx = r (g - dnorm sum(g x_hat))
    /// given, or a norm below eps: dx = r g
    /// ```
    pub fn slope(&self, statistics: &Statistics, sums: Sums<f64>) -> Slope {
        let (operation, r, n) = (self.operation, statistics.rstd, self.walk.length() as f64);
        let Sums { gradients, products } = sums;
        let slope = |of_x_hat, constant| Slope {
            of_g: r,
            of_x_hat,
            constant,
        };
        if operation.source == Source::Running {
            return slope(0.0, 0.0);
        }
        match operation.statistic {
            Statistic::MeanVariance if operation.eps_rule == EpsRule::OnDeviation => {
                let std = match statistics.spread.is_nan() {
                    true => 1.0 / r - f64::from(operation.eps),
                    false => statistics.spread.sqrt(),
                };
                // Of a constant segment x_hat is 0.
                let of_x_hat = if std > 0.0 || std.is_nan() {
                    -products / (n * std)
                } else {
                    0.0
                };
                slope(of_x_hat, -r * gradients / n)
            }
            Statistic::MeanVariance => {
                let divisor = (n - f64::from(operation.ddof)).max(1.0);
                slope(-r * products / divisor, -r * gradients / n)
            }
            Statistic::MeanSquare => slope(-r * products / n, 0.0),
            Statistic::Norm { .. }
                if operation.eps_rule == EpsRule::AtLeast && statistics.spread < f64::from(operation.eps) =>
            {
                slope(0.0, 0.0)
            }
            Statistic::Norm { .. } => slope(-r * products, 0.0),
            Statistic::Window(_) => slope(0.0, 0.0),
        }
    }
}

/// The derivative of the p-norm with respect to x; for p = inf the `largest` magnitude, and how many have it, share 1.
pub(super) fn derivative(x: f64, x_hat: f64, p: f32, largest: (f64, f64)) -> f64 {
    if x == 0.0 {
        0.0
    } else if p == 2.0 {
        x_hat
    } else if p == f32::INFINITY {
        if x.abs() == largest.0 {
            x.signum() / largest.1
        } else {
            0.0
        }
    } else {
        x.signum() * x_hat.abs().powf(f64::from(p) - 1.0)
    }
}
