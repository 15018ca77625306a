use super::Output;
use super::axes::normalize_axes;

/// What [`lp_normalize`] divides by where the norm is 0 or small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroNorm {
    /// By max(norm, eps), as PyTorch does.
    Floor,
    /// By the norm, whatever eps; y is 0 where it is 0, as ONNX has it.
    Zero,
}

/// Division by the p-norm over `axes`.
///
/// ```text
/// norm = sum(|x|^p)^(1/p);  norm = max(|x|) for p = inf
/// y = x / max(norm, eps) * weight + bias      ZeroNorm::Floor
/// y = x / norm * weight + bias, or bias where norm = 0      ZeroNorm::Zero
/// ```
///
/// There is one norm per position of the other axes; that of no elements is 0. Weight and bias have the shape of
/// `weight_axes`, any of the axes in increasing order. `p` is positive. Of the output, `mean` is 0, `var` the norm
/// itself, `rstd` the factor of x: 1 / max(norm, eps), or 1 / norm, or 0 where the norm is 0.
///
/// The sum is taken of |x| / max(|x|), so that no power of an f32 overflows. A NaN makes the norm NaN for every p.
/// Source: `torch.nn.functional.normalize`; ONNX LpNormalization-22.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn lp_normalize(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    p: f64,
    eps: f64,
    rule: ZeroNorm,
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
) -> Output {
    assert!(p > 0.0, "p = {p}");
    let statistics = |segment: &[f64]| (0.0, norm(segment, p));
    let scale = |norm: f64| match rule {
        // A NaN is not below eps and stays.
        ZeroNorm::Floor if norm < eps => 1.0 / eps,
        ZeroNorm::Zero if norm == 0.0 => 0.0,
        ZeroNorm::Floor | ZeroNorm::Zero => 1.0 / norm,
    };
    normalize_axes(x, shape, axes, weight_axes, weight, bias, statistics, scale)
}

/// `sum(|x|^p)^(1/p)`; `max(|x|)` for an infinite p.
pub(super) fn norm(values: &[f64], p: f64) -> f64 {
    let mut largest = 0.0f64;
    for value in values {
        // f64::max would drop a NaN.
        if value.is_nan() || value.abs() > largest {
            largest = value.abs();
        }
        if largest.is_nan() {
            break;
        }
    }
    // 0 and infinity are their own norm, whatever else is there; so is NaN.
    if p == f64::INFINITY || largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let sum: f64 = values.iter().map(|x| (x.abs() / largest).powf(p)).sum();
    largest * sum.powf(1.0 / p)
}

#[cfg(test)]
mod tests {
    use super::ZeroNorm::{Floor, Zero};
    use super::*;
    use crate::reference::{assert_close, naive, rms_norm};

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    /// Rows, without weight.
    fn rows(x: &[f64], width: usize, p: f64, eps: f64, rule: ZeroNorm) -> Output {
        lp_normalize(x, &[x.len() / width, width], &[1], p, eps, rule, &[], None, None)
    }

    #[test]
    fn every_p_by_hand() {
        let x = [3.0, -4.0, 0.0];
        let norm = |p| rows(&x, 3, p, 0.0, Floor).var[0];
        assert_close(&[norm(1.0), norm(2.0), norm(INF)], &[7.0, 5.0, 4.0], 1e-15);
        assert_close(&[norm(3.0)], &[91f64.cbrt()], 1e-15);
        // (sqrt(3) + sqrt(4))^2.
        assert_close(&[norm(0.5)], &[7.0 + 4.0 * 3f64.sqrt()], 1e-14);
        let output = rows(&x, 3, 2.0, 1e-12, Floor);
        assert_close(&output.y, &[0.6, -0.8, 0.0], 1e-15);
        assert_eq!(output.mean, [0.0]);
        assert_close(&output.rstd, &[0.2], 1e-16);
        assert_close(&rows(&x, 3, 1.0, 0.0, Zero).y, &[3.0 / 7.0, -4.0 / 7.0, 0.0], 1e-15);
        assert_eq!(rows(&x, 3, INF, 0.0, Zero).y, [0.75, -1.0, 0.0]);
    }

    #[test]
    fn columns_with_weight_by_hand() {
        // Columns 3 4 and 0 2; weight over the rows, which are normalized.
        let x = [3.0, 0.0, 4.0, 2.0];
        let (weight, bias) = ([10.0, 5.0], [0.0, 1.0]);
        let output = lp_normalize(&x, &[2, 2], &[0], 2.0, 0.0, Zero, &[0], Some(&weight), Some(&bias));
        assert_close(&output.y, &[6.0, 0.0, 5.0, 6.0], 1e-14);
        assert_close(&output.var, &[5.0, 2.0], 1e-15);
    }

    #[test]
    fn any_axes_against_the_definition() {
        let shape = [2, 3, 2, 4];
        let x: Vec<f64> = (0..48).map(|i| f64::from(i * i % 29) - 11.0).collect();
        for p in [0.5, 1.0, 1.5, 2.0, 3.0, 7.0, INF] {
            for axes in naive::subsets(4) {
                let weight_axes = [0, 3];
                let weight = naive::parameters(&shape, &weight_axes);
                let output = lp_normalize(&x, &shape, &axes, p, 1.5, Floor, &weight_axes, Some(&weight), None);
                for element in 0..48 {
                    let values = naive::segment_of(element, &shape, &axes, &x);
                    let norm = if p == INF {
                        values.iter().fold(0.0, |max, x| x.abs().max(max))
                    } else {
                        values.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p)
                    };
                    let w = weight[naive::index_along(element, &shape, &weight_axes)];
                    assert_close(&[output.y[element]], &[x[element] / norm.max(1.5) * w], 1e-13);
                }
            }
        }
    }

    #[test]
    fn the_two_norm_is_the_root_mean_square_of_n() {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i * i % 17) - 5.0).collect();
        let rms = rms_norm(&x, &[2, 3, 4], &[0, 2], &[], None, None, 0.0);
        let lp = lp_normalize(
            &x,
            &[2, 3, 4],
            &[0, 2],
            2.0,
            0.0,
            Floor,
            &[],
            Some(&[8f64.sqrt()]),
            None,
        );
        assert_close(&lp.y, &rms.y, 1e-14);
    }

    #[test]
    fn a_norm_of_zero() {
        let x = [0.0, -0.0, 1e-14, 0.0];
        for p in [0.5, 1.0, 2.0, INF] {
            let floor = rows(&x, 2, p, 1e-12, Floor);
            assert_close(&floor.y, &[0.0, 0.0, 0.01, 0.0], 1e-16);
            assert_close(&floor.rstd, &[1e12, 1e12], 1e-3);
            let zero = rows(&x, 2, p, 1e-12, Zero);
            assert_close(&zero.y, &[0.0, 0.0, 1.0, 0.0], 1e-15);
            assert_eq!((zero.rstd[0], zero.var[0]), (0.0, 0.0));
            // Without eps: 0 / 0.
            assert!(rows(&x, 2, p, 0.0, Floor).y[0].is_nan());
        }
        let output = lp_normalize(
            &[0.0; 2],
            &[2],
            &[0],
            2.0,
            0.0,
            Zero,
            &[0],
            Some(&[2.0; 2]),
            Some(&[3.0; 2]),
        );
        assert_eq!(output.y, [3.0; 2]);
    }

    #[test]
    fn powers_beyond_f64() {
        let huge = f64::from(f32::MAX);
        let tiny = f64::from(f32::from_bits(1));
        let x = [huge, -huge, tiny, tiny];
        for p in [0.5, 2.0, 100.0] {
            let root = 2f64.powf(1.0 / p);
            let output = rows(&x, 2, p, 0.0, Floor);
            assert_close(&[output.var[0] / huge, output.var[1] / tiny], &[root, root], 1e-14);
            let y = 1.0 / root;
            assert_close(&output.y, &[y, -y, y, y], 1e-14);
        }
    }

    #[test]
    fn special_values_stay_in_their_segment() {
        let x = [1.0, NAN, NAN, 1.0, INF, -2.0, INF, NAN, 3.0, 4.0];
        for p in [0.5, 1.0, 2.0, INF] {
            for rule in [Floor, Zero] {
                let output = rows(&x, 2, p, 1e-12, rule);
                let norms = [NAN, NAN, INF, NAN, output.var[4]];
                assert_close(&output.var, &norms, 0.0);
                assert!(output.y[..5].iter().all(|y| y.is_nan()));
                assert_eq!(output.y[5], 0.0);
                assert!(output.y[6..8].iter().all(|y| y.is_nan()));
                assert_close(&output.y[8..], &[3.0 / norms[4], 4.0 / norms[4]], 1e-15);
            }
        }
    }

    #[test]
    fn empty_tensors_and_scalars() {
        let output = lp_normalize(&[], &[2, 0], &[1], 2.0, 1e-12, Floor, &[1], Some(&[]), None);
        assert!(output.y.is_empty());
        assert_eq!(output.var, [0.0; 2]);
        assert!(
            lp_normalize(&[], &[0, 3], &[1], INF, 0.0, Zero, &[], None, None)
                .var
                .is_empty()
        );
        // Without axes every element is its own segment: its sign remains.
        assert_eq!(
            lp_normalize(&[-3.0, 0.0], &[2], &[], 2.0, 0.0, Zero, &[], None, None).y,
            [-1.0, 0.0]
        );
        assert_eq!(
            lp_normalize(&[-4.0], &[], &[], 1.0, 8.0, Floor, &[], None, None).y,
            [-0.5]
        );
    }

    #[test]
    #[should_panic(expected = "p = 0")]
    fn p_is_positive() {
        rows(&[1.0], 1, 0.0, 0.0, Floor);
    }
}
