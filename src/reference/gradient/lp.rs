use super::centered::over_axes;
use super::{Gradient, Segment, dot};
use crate::reference::ZeroNorm;
use crate::reference::lp::norm;

/// Gradients of [`lp_normalize`](crate::reference::lp_normalize) over `axes`.
///
/// ```text
/// dx = r g - dnorm sum(g x) r^2,  r = 1 / norm
/// dnorm = sign(x) (|x| / norm)^(p - 1);  sign(x) / k for p = inf where |x| is one of the k largest, else 0
/// ```
///
/// sign(0) is 0, for every p. With [`ZeroNorm::Floor`], where norm < eps, the divisor is eps and does not depend on x:
/// dx = g / eps. With [`ZeroNorm::Zero`], where the norm is 0, y is 0 and so is dx. Source:
/// `torch.nn.functional.normalize`, which is `x / norm.clamp_min(eps)`, and `norm_backward` of PyTorch.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn lp_normalize(
    x: &[f64],
    dy: &[f64],
    shape: &[usize],
    axes: &[usize],
    p: f64,
    eps: f64,
    rule: ZeroNorm,
    weight_axes: &[usize],
    weight: Option<&[f64]>,
) -> Gradient {
    assert!(p > 0.0, "p = {p}");
    over_axes(x, dy, shape, axes, weight_axes, weight, |values, g| {
        let norm = norm(values, p);
        let (r, constant) = match rule {
            // A NaN is not below eps and stays.
            ZeroNorm::Floor if norm < eps => (1.0 / eps, true),
            ZeroNorm::Zero if norm == 0.0 => (0.0, true),
            ZeroNorm::Floor | ZeroNorm::Zero => (1.0 / norm, false),
        };
        let product = dot(g, values) * r * r;
        let dx = |(g, x): (&f64, &f64)| match constant {
            true => r * g,
            false => r * g - derivative(*x, values, norm, p) * product,
        };
        Segment {
            dx: g.iter().zip(values).map(dx).collect(),
            x_hat: values.iter().map(|x| x * r).collect(),
        }
    })
}

/// The derivative of the norm of `values` with respect to one of them, `x`.
fn derivative(x: f64, values: &[f64], norm: f64, p: f64) -> f64 {
    if norm.is_nan() {
        f64::NAN
    } else if x == 0.0 {
        0.0
    } else if p == f64::INFINITY {
        let largest = values.iter().filter(|value| value.abs() == norm).count();
        if x.abs() == norm {
            x.signum() / largest as f64
        } else {
            0.0
        }
    } else {
        x.signum() * (x.abs() / norm).powf(p - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::differences::{self, Random};
    use super::ZeroNorm::{Floor, Zero};
    use super::*;
    use crate::reference::{self, assert_close, naive};

    const INF: f64 = f64::INFINITY;

    fn row(x: &[f64], dy: &[f64], p: f64, eps: f64, rule: ZeroNorm) -> Vec<f64> {
        lp_normalize(x, dy, &[x.len()], &[0], p, eps, rule, &[], None).dx
    }

    #[test]
    fn every_p_by_hand() {
        let (x, dy) = ([3.0, -4.0, 0.0], [1.0, 0.0, 2.0]);
        // norm 5: g / 5 - x / 5 * 3 / 25.
        assert_close(&row(&x, &dy, 2.0, 0.0, Floor), &[0.128, 0.096, 0.4], 1e-16);
        // norm 7: g / 7 - sign(x) * 3 / 49.
        assert_close(
            &row(&x, &dy, 1.0, 0.0, Zero),
            &[4.0 / 49.0, 3.0 / 49.0, 2.0 / 7.0],
            1e-16,
        );
        // norm 4, of the second alone: g / 4 + 3 / 16 there.
        assert_eq!(row(&x, &dy, INF, 0.0, Floor), [0.25, 0.1875, 0.5]);
        // Two largest share.
        assert_eq!(
            row(&[2.0, -2.0, 1.0], &[1.0, 0.0, 0.0], INF, 0.0, Floor),
            [0.25, 0.25, 0.0]
        );
    }

    #[test]
    fn the_norm_counts_from_eps_on() {
        let (x, dy) = ([3.0, 4.0], [1.0, 1.0]);
        assert_eq!(row(&x, &dy, 2.0, 8.0, Floor), [0.125, 0.125]);
        // At eps it does, as clamp_min has it.
        assert_close(&row(&x, &dy, 2.0, 5.0, Floor), &[0.2 - 0.168, 0.2 - 0.224], 1e-15);
        assert_eq!(row(&[0.0, 0.0], &dy, 1.0, 0.5, Floor), [2.0, 2.0]);
        assert_eq!(row(&[0.0, 0.0], &dy, 2.0, 0.0, Zero), [0.0, 0.0]);
    }

    #[test]
    fn any_axes_against_differences() {
        let shape = [2, 3, 4];
        let mut random = Random::new(4);
        for p in [0.5, 1.0, 1.5, 2.0, 3.0, 7.0, INF] {
            for axes in naive::subsets(3) {
                // Away from 0, where |x| has no derivative.
                let away = |x: &f64| x + 0.25 * x.signum();
                let x: Vec<f64> = random.values(24).iter().map(away).collect();
                let (dy, weight, bias) = (random.values(24), random.values(6), random.values(6));
                let (a, w) = (&axes[..], Some(&weight[..]));
                for (rule, eps) in [(Floor, 0.0), (Floor, 2.0), (Zero, 0.0)] {
                    let gradient = lp_normalize(&x, &dy, &shape, a, p, eps, rule, &[0, 1], w);
                    differences::check(&x, &dy, Some((&weight, &bias)), &gradient, |x, w, b| {
                        reference::lp_normalize(x, &shape, a, p, eps, rule, &[0, 1], w, b).y
                    });
                }
            }
        }
    }

    #[test]
    fn special_values_stay_in_their_segments() {
        let x = [f64::NAN, 1.0, 3.0, 4.0, INF, 1.0];
        let dx = lp_normalize(&x, &[1.0; 6], &[3, 2], &[1], 2.0, 0.0, Floor, &[], None).dx;
        assert!(dx[..2].iter().chain(&dx[4..]).all(|dx| dx.is_nan()));
        assert_close(&dx[2..4], &[0.2 - 0.168, 0.2 - 0.224], 1e-15);
    }
}
