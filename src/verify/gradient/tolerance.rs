//! How exact gradients must be.

use crate::spec::{Operation, Statistic};
use crate::verify::case::{Case, Norm};
use crate::verify::compare::Tolerance;
use crate::verify::expected::widen;
use crate::verify::tolerance::{U, absolute, roundings};

/// The tolerance of every gradient of a case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GradientTolerances {
    /// Of dx.
    pub dx: Tolerance,
    /// Of dweight.
    pub dweight: Tolerance,
    /// Of dbias.
    pub dbias: Tolerance,
}

/// Terms that a lane may add up in f32 one by one before it merges them with others': their roundings, which are
/// independent, grow as the root.
const IN_A_ROW: f64 = 256.0;

/// Tight tolerances of the gradients, in the terms of [`tolerances`](crate::verify::tolerances): u = 2^-24, n elements a
/// segment, K roundings of x_hat (12 + log2 n; more for powers). g is dy times weight, r the factor of x; means, sums
/// and maxima are those of a segment, or of the elements of a weight, and the largest bound of any of them is that of the
/// tensor.
///
/// | gradient | bound, in u |
/// |---|---|
/// | dx, centered | K r (2 max\|g\| + 2 mean\|g\| + 4 (1 + max\|x_hat\|) (mean\|g x_hat\| + \|mean g\|) s) |
/// | dx, RMS | K r (2 max\|g\| + 4 max\|x_hat\| mean\|g x_hat\|) |
/// | dx, given statistics | K \|dx\|, relative |
/// | dx, p-norm | r (2 K max\|g\| + ((3 + \|p - 1\|) K + 20) sum\|g x_hat\| max(\|x_hat\|^(p - 1))) |
/// | dx, local response | K' max(\|g\| / d^beta + 4 \|alpha / size beta x\| sum\|g x / d^(beta + 1)\|) |
/// | dweight | (K + L) sum\|dy x_hat\| + K sum\|dy\| (centered only) |
/// | dbias | L sum\|dy\| |
///
/// - dx = r (g - mean(g) - x_hat mean(g x_hat)). g has one rounding and r has K. mean(g) has log2 n + 3, below K; the last
///   product has those of x_hat twice, of r and of a mean, below 4 K. Nothing in it is divided by what may cancel: the
///   bound is of the terms, not of their difference.
/// - x_hat is off by K u (|x_hat| + 1): its mean is off by K u standard deviations. That 1 meets mean(g x_hat) as it is,
///   and within it the mean of g, whose terms may cancel.
/// - s is n / (n - ddof), and 1 + eps / std where eps is added to the deviation: what those formulas have in the last
///   term beside a mean.
/// - The power |x_hat|^(p - 1) of a p-norm has |p - 1| K roundings of x_hat and 16 of its own.
/// - K' = 20 + log2 size + (|beta| + 1) (4 + log2 size): a sum as deep as a window, raised to a power, summed again.
/// - L = 16 + log2 m of m terms: a tree, of whose leaves each is a row of 256 terms.
///
/// Where a difference x - mean may be subnormal, it may have been flushed to 0: x_hat is then off by the smallest
/// normal number times r; so may be dx itself, and g.
///
/// Gradients made of y: there x_hat = (y - bias) / weight, whose y was rounded once more and whose difference has the
/// rounding of a number as large as the bias. With B the largest |bias / weight|,
///
/// - K is 2 + B more, and x_hat is off by K u (|x_hat| + 1) for RMS and p-norms too: their bounds get
///   K r (max\|x_hat\| mean\|g\| + mean\|g x_hat\|) more, sums in the place of means for p-norms, and dweight K sum\|dy\|.
///   (Of p-norms, where there is a bias, p = 2 alone: powers of what is off by a constant have no such bound.)
pub fn gradient_tolerances(case: &Case, from_output: bool) -> GradientTolerances {
    let (Ok(operation), Some(dy)) = (case.operation(), &case.dy) else {
        return GradientTolerances::default();
    };
    if case.x.is_empty() {
        return GradientTolerances::default();
    }
    let (record, parameter) = indices(&operation);
    let plain = case.evaluate(None, None);
    let weight = |p: usize| case.weight.as_ref().map_or(1.0, |weight| f64::from(weight[p]));
    let dy = widen(dy);
    let elements = Elements {
        g: dy.iter().zip(&parameter).map(|(dy, &p)| dy * weight(p)).collect(),
        rstd: plain.rstd.unwrap_or_default(),
        x_hat: plain.y,
        dy,
        record,
        parameter,
        from_output,
    };
    let length = if case.norm.uses_running() { 1 } else { elements.length() };
    let k = roundings(case, length) + if from_output { 2.0 + most_shift(case) } else { 0.0 };
    let dx = match operation.statistic {
        _ if case.norm.uses_running() => Tolerance {
            rtol: k * U,
            atol: FLUSHED * (1.0 + given_rstd(case)),
        },
        Statistic::MeanVariance => absolute(elements.centered(case, k)),
        Statistic::MeanSquare => absolute(elements.mean_square(k)),
        Statistic::Norm { p } => absolute(elements.norm(f64::from(p), k)),
        Statistic::Window(_) => absolute(elements.window(case, &operation)),
    };
    let (dweight, dbias) = elements.parameters(case, k, operation.weight_len as usize);
    GradientTolerances { dx, dweight, dbias }
}

const FLUSHED: f64 = f32::MIN_POSITIVE as f64;

/// What the bounds are made of, in row-major order.
struct Elements {
    dy: Vec<f64>,
    g: Vec<f64>,
    x_hat: Vec<f64>,
    /// Of every segment; empty where a call takes no statistics.
    rstd: Vec<f64>,
    /// The segment of every element.
    record: Vec<usize>,
    /// The weight of every element.
    parameter: Vec<usize>,
    from_output: bool,
}

/// Sums over a segment.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    g: f64,
    abs_g: f64,
    max_g: f64,
    abs_product: f64,
    max_x_hat: f64,
    min_x_hat: f64,
}

impl Elements {
    fn length(&self) -> usize {
        (self.x_hat.len() / self.rstd.len().max(1)).max(1)
    }

    fn segments(&self) -> Vec<Sums> {
        let none = Sums {
            min_x_hat: f64::INFINITY,
            ..Sums::default()
        };
        let mut segments = vec![none; self.rstd.len()];
        for ((&record, &g), &x_hat) in self.record.iter().zip(&self.g).zip(&self.x_hat) {
            let sums = &mut segments[record];
            sums.count += 1.0;
            sums.g += g;
            sums.abs_g += g.abs();
            sums.max_g = sums.max_g.max(g.abs());
            sums.abs_product += (g * x_hat).abs();
            sums.max_x_hat = sums.max_x_hat.max(x_hat.abs());
            if x_hat != 0.0 {
                sums.min_x_hat = sums.min_x_hat.min(x_hat.abs());
            }
        }
        segments
    }

    /// The largest of the bounds of all segments that have one; those with a NaN or an infinity do not.
    fn largest(&self, bound: impl Fn(Sums, f64) -> f64) -> f64 {
        let bounds = self
            .segments()
            .into_iter()
            .zip(&self.rstd)
            .map(|(sums, &r)| bound(sums, r));
        bounds.filter(|bound| bound.is_finite()).fold(0.0, f64::max)
    }

    fn centered(&self, case: &Case, k: f64) -> f64 {
        let eps = case.effective_eps();
        self.largest(|sums, r| {
            let n = sums.count;
            let factor = match case.norm {
                Norm::ZScore { ddof, .. } if n > f64::from(ddof) => n / (n - f64::from(ddof)),
                Norm::MeanVariance { .. } => match 1.0 / r - eps {
                    std if std > 0.0 => 1.0 + eps / std,
                    _ => 1.0,
                },
                _ => 1.0,
            };
            let last = (1.0 + sums.max_x_hat) * (sums.abs_product + sums.g.abs()) / n * factor;
            let flushed =
                FLUSHED * (1.0 + r * (2.0 + r * factor * (sums.abs_product + sums.max_x_hat * sums.abs_g) / n));
            k * U * r * (2.0 * (sums.max_g + sums.abs_g / n) + 4.0 * last) + flushed
        })
    }

    fn mean_square(&self, k: f64) -> f64 {
        self.largest(|sums, r| {
            let last = sums.max_x_hat * sums.abs_product / sums.count;
            let shifted = self.shifted(&sums, sums.max_x_hat) / sums.count;
            k * U * r * (2.0 * sums.max_g + 4.0 * last + shifted) + FLUSHED * (1.0 + 2.0 * r)
        })
    }

    fn norm(&self, p: f64, k: f64) -> f64 {
        self.largest(|sums, r| {
            // A power that falls is largest at the smallest element.
            let power = match p - 1.0 {
                exponent if exponent == f64::INFINITY || sums.max_x_hat == 0.0 => 1.0,
                exponent if exponent < 0.0 => sums.min_x_hat.powf(exponent),
                exponent => sums.max_x_hat.powf(exponent),
            };
            let exponent = if p.is_finite() { (p - 1.0).abs() } else { 0.0 };
            let last = ((3.0 + exponent) * k + 20.0) * sums.abs_product * power;
            let shifted = k * self.shifted(&sums, power);
            U * r * (2.0 * k * sums.max_g + last + shifted) + FLUSHED * (1.0 + 2.0 * r)
        })
    }

    /// What an x_hat that is off by a constant adds: the sums of a segment, one of them times a factor of x_hat.
    fn shifted(&self, sums: &Sums, factor: f64) -> f64 {
        match self.from_output {
            true => factor * sums.abs_g + sums.abs_product,
            false => 0.0,
        }
    }

    fn window(&self, case: &Case, operation: &Operation) -> f64 {
        let (&Norm::LocalResponse { size, alpha, beta, k }, Statistic::Window(window)) =
            (&case.norm, operation.statistic)
        else {
            return 0.0;
        };
        let axis = operation.axes.iter().find(|axis| axis.reduced);
        let (channels, stride) = axis.map_or((1, 1), |axis| (axis.extent as usize, axis_stride(operation)));
        let (left, right) = (window.left as usize, window.right as usize);
        let [share, beta, k] = [f64::from(alpha) / size as f64, f64::from(beta), f64::from(k)];
        let x = widen(&case.x);
        let levels = (size as f64).log2();
        let roundings = 20.0 + levels + (beta.abs() + 1.0) * (4.0 + levels);
        let around = |i: usize, before: usize, after: usize| {
            let c = i / stride % channels;
            let range = c.saturating_sub(before)..channels.min(c + after + 1);
            range.map(move |other| i - c * stride + other * stride)
        };
        let d: Vec<f64> = (0..x.len())
            .map(|i| k + share * around(i, left, right).map(|j| x[j] * x[j]).sum::<f64>())
            .collect();
        let bound = |i: usize| {
            let term = |c: usize| (self.g[c] * x[c] * d[c].powf(-beta - 1.0)).abs();
            let sum: f64 = around(i, right, left).map(term).sum();
            (self.g[i] * d[i].powf(-beta)).abs() + 4.0 * (share * beta * x[i]).abs() * sum
        };
        let largest = (0..x.len())
            .map(bound)
            .filter(|bound| bound.is_finite())
            .fold(0.0, f64::max);
        // A square may be flushed where x is not, and what is small beside k then is of no account.
        // Either term may be flushed, and dx itself.
        roundings * U * largest + FLUSHED * (3.0 + largest)
    }

    /// Tolerances of dweight and dbias.
    fn parameters(&self, case: &Case, k: f64, len: usize) -> (Tolerance, Tolerance) {
        let mut sums = vec![(0.0, 0.0, 0.0); len];
        for (i, &p) in self.parameter.iter().enumerate() {
            let (products, gradients, flushed) = &mut sums[p];
            let r = self.rstd.get(self.record[i]).copied().unwrap_or(0.0);
            *products += (self.dy[i] * self.x_hat[i]).abs();
            *gradients += self.dy[i].abs();
            *flushed += self.dy[i].abs() * r;
        }
        let terms = (self.x_hat.len() / len.max(1)).max(1) as f64;
        let adding = IN_A_ROW.sqrt() + terms.log2();
        let off_center = match case.norm {
            _ if self.from_output => 1.0,
            Norm::Rms { .. } | Norm::Lp { .. } | Norm::LocalResponse { .. } => 0.0,
            _ if case.norm.uses_running() => 0.0,
            _ => 1.0,
        };
        let largest = |bound: &dyn Fn(&(f64, f64, f64)) -> f64| {
            let bounds = sums.iter().map(bound).filter(|bound| bound.is_finite());
            absolute(bounds.fold(0.0, f64::max))
        };
        (
            largest(&|(products, gradients, flushed)| {
                U * ((k + adding) * products + k * off_center * gradients) + FLUSHED * (1.0 + flushed)
            }),
            largest(&|(_, gradients, _)| U * adding * gradients + FLUSHED),
        )
    }
}

/// The largest |bias / weight|.
fn most_shift(case: &Case) -> f64 {
    let len = case.weight.as_ref().or(case.bias.as_ref()).map_or(0, Vec::len);
    let of =
        |values: &Option<Vec<f32>>, i: usize, none: f64| values.as_ref().map_or(none, |values| f64::from(values[i]));
    let shifts = (0..len).map(|i| (of(&case.bias, i, 0.0) / of(&case.weight, i, 1.0)).abs());
    shifts.fold(0.0, f64::max)
}

/// The largest factor that given running statistics make.
fn given_rstd(case: &Case) -> f64 {
    let eps = case.effective_eps();
    let vars = case.running.iter().flat_map(|(_, var)| var);
    let rstds = vars.map(|&var| 1.0 / (f64::from(var) + eps).sqrt());
    rstds.filter(|rstd| rstd.is_finite()).fold(0.0, f64::max)
}

/// The segment and the weight of every element, in row-major order.
fn indices(operation: &Operation) -> (Vec<usize>, Vec<usize>) {
    let mut places = vec![(0, 0)];
    for axis in &operation.axes {
        let step = |(record, weight): (usize, usize)| {
            let at = move |i: usize| (record + i * axis.record as usize, weight + i * axis.weight as usize);
            (0..axis.extent as usize).map(at)
        };
        places = places.into_iter().flat_map(step).collect();
    }
    places.into_iter().unzip()
}

/// Distance between neighbours along the reduced axis in a dense tensor.
fn axis_stride(operation: &Operation) -> usize {
    let inside = operation.axes.iter().rev().take_while(|axis| !axis.reduced);
    inside.map(|axis| axis.extent as usize).product()
}
