use super::moments::mean_variance;
use super::{Output, Parameters, check_shape};

/// Z-score over `axes`.
///
/// ```text
/// y = (x - mean) / sqrt(sum((x - mean)^2) / (n - ddof) + eps) * weight + bias
/// ```
///
/// Where var + eps is 0 the divisor is 1, so that a constant segment gives 0. Weight and bias have the shape of
/// `weight_axes`, in increasing order. Source: scikit-learn's `StandardScaler` (ddof 0); `scale` of R (ddof 1).
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn z_score(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    ddof: u32,
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let scale = |var: f64| {
        if var + eps == 0.0 {
            1.0
        } else {
            1.0 / (var + eps).sqrt()
        }
    };
    let statistics = |segment: &[f64]| mean_variance(segment, ddof);
    normalize_axes(x, shape, axes, weight_axes, weight, bias, statistics, scale)
}

/// Mean-variance normalization over `axes`, with eps added to the standard deviation.
///
/// ```text
/// y = (x - mean) / (sqrt(var) + eps) * weight + bias
/// ```
///
/// Weight and bias have the shape of `weight_axes`, in increasing order. Source: ONNX
/// MeanVarianceNormalization-13, whose function body adds 1e-9 to the standard deviation (and has no weight).
pub fn mean_variance_norm(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let scale = |var: f64| 1.0 / (var.sqrt() + eps);
    let statistics = |segment: &[f64]| mean_variance(segment, 0);
    normalize_axes(x, shape, axes, weight_axes, weight, bias, statistics, scale)
}

/// Normalizes over `axes`, one segment per position of the others. `weight_axes` are those along which weight and
/// bias vary, whether normalized or not; the order in which either are named is of no account.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub(super) fn normalize_axes(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight_axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    statistics: impl Fn(&[f64]) -> (f64, f64),
    scale: impl Fn(f64) -> f64,
) -> Output {
    check_shape(x, shape);
    let parameters = Parameters::new(weight, bias, weight_len(shape, weight_axes));
    let mut output = Output::new(x.len());
    for places in segments(shape, axes, weight_axes) {
        output.push_segment(x, places.into_iter(), &statistics, &scale, parameters);
    }
    output
}

/// The segments of a tensor of `shape` over `axes`: of every element, its index in the tensor and in the weight.
pub(super) fn segments<'a>(
    shape: &'a [usize],
    axes: &'a [usize],
    weight_axes: &'a [usize],
) -> impl Iterator<Item = Vec<(usize, usize)>> + use<'a> {
    for named in [axes, weight_axes] {
        let inside = named.iter().all(|&axis| axis < shape.len());
        assert!(inside, "axes {named:?} of {shape:?}");
    }
    let reduced = |axis: usize| axes.contains(&axis);
    let weighted = |axis: usize| weight_axes.contains(&axis);
    let elements = places(shape, reduced, weighted);
    let starts = places(shape, |axis| !reduced(axis), weighted);
    starts.into_iter().map(move |(start, first)| {
        let place = |(element, p): &(usize, usize)| (start + element, first + p);
        elements.iter().map(place).collect()
    })
}

/// Elements of a weight over `weight_axes`.
pub(super) fn weight_len(shape: &[usize], weight_axes: &[usize]) -> usize {
    volume(shape, 0, |axis| weight_axes.contains(&axis))
}

/// All positions along the `chosen` axes, the others at 0, in row-major order: their index in a tensor of `shape`,
/// and in one that has only the `weighted` of its axes.
fn places(
    shape: &[usize],
    chosen: impl Fn(usize) -> bool,
    weighted: impl Fn(usize) -> bool + Copy,
) -> Vec<(usize, usize)> {
    let mut places = vec![(0, 0)];
    for axis in (0..shape.len()).filter(|&axis| chosen(axis)) {
        let stride = volume(shape, axis + 1, |_| true);
        let weight_stride = if weighted(axis) {
            volume(shape, axis + 1, weighted)
        } else {
            0
        };
        let mut next = Vec::with_capacity(places.len() * shape[axis]);
        for (element, parameter) in places {
            for position in 0..shape[axis] {
                next.push((element + position * stride, parameter + position * weight_stride));
            }
        }
        places = next;
    }
    places
}

/// Product of the extents of the `chosen` axes from `first` on.
fn volume(shape: &[usize], first: usize, chosen: impl Fn(usize) -> bool) -> usize {
    (first..shape.len())
        .filter(|&axis| chosen(axis))
        .map(|axis| shape[axis])
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_close, batch_norm, naive};
    use crate::spec::Layout;

    #[test]
    fn columns_of_a_table_by_hand() {
        // Columns 1 3 5 7 (mean 4, var 5 or 20/3) and 9 9 9 9.
        let x = [1.0, 9.0, 3.0, 9.0, 5.0, 9.0, 7.0, 9.0];
        let biased = z_score(&x, &[4, 2], &[0], 0, &[1], None, None, 0.0);
        let r = 1.0 / 5f64.sqrt();
        assert_close(&biased.y, &[-3.0 * r, 0.0, -r, 0.0, r, 0.0, 3.0 * r, 0.0], 1e-15);
        assert_eq!((biased.mean, biased.var), (vec![4.0, 9.0], vec![5.0, 0.0]));
        assert_eq!(biased.rstd[1], 1.0);
        let unbiased = z_score(&x, &[4, 2], &[0], 1, &[1], Some(&[2.0, 1.0]), Some(&[0.0, 0.5]), 0.0);
        assert_close(&unbiased.var, &[20.0 / 3.0, 0.0], 1e-15);
        assert_close(&unbiased.y[..2], &[-6.0 / (20f64 / 3.0).sqrt(), 0.5], 1e-15);
    }

    #[test]
    fn eps_is_added_to_the_deviation() {
        let output = mean_variance_norm(&[1.0, 5.0, 3.0, 3.0], &[2, 2], &[1], &[0], None, None, 0.5);
        assert_eq!(output.y, [-0.8, 0.8, 0.0, 0.0]);
        assert_eq!(output.rstd, [0.4, 2.0]);
    }

    #[test]
    fn separate_axes_are_those_of_batch_norm() {
        let x: Vec<f64> = (0..120).map(|i| f64::from(i * i % 31)).collect();
        let shape = [2, 3, 4, 5];
        let weight = [1.0, 2.0, 3.0];
        let expected = batch_norm(&x, &shape, Layout::ChannelsFirst, Some(&weight), None, 0.0);
        assert_close(
            &z_score(&x, &shape, &[3, 0, 2], 0, &[1], Some(&weight), None, 0.0).y,
            &expected.y,
            1e-15,
        );
        let mvn = mean_variance_norm(&x, &shape, &[0, 2, 3], &[1], Some(&weight), None, 0.0);
        assert_close(&mvn.y, &expected.y, 1e-14);
    }

    #[test]
    fn weight_over_normalized_axes_by_hand() {
        // Columns 1 3 and 2 6: x_hat is -1 in the first row and 1 in the second.
        let x = [1.0, 2.0, 3.0, 6.0];
        let rows = z_score(&x, &[2, 2], &[0], 0, &[0], Some(&[2.0, 5.0]), Some(&[0.0, 1.0]), 0.0);
        assert_eq!(rows.y, [-2.0, -2.0, 6.0, 6.0]);
        let all = mean_variance_norm(&x, &[2, 2], &[0], &[1, 0], Some(&[1.0, 2.0, 3.0, 4.0]), None, 0.0);
        assert_eq!(all.y, [-1.0, -2.0, 3.0, 4.0]);
        let one = mean_variance_norm(&x, &[2, 2], &[0], &[], Some(&[3.0]), Some(&[1.0]), 0.0);
        assert_eq!(one.y, [-2.0, -2.0, 4.0, 4.0]);
    }

    #[test]
    fn weight_over_any_axes_is_a_factor() {
        let shape = [2, 3, 2, 4];
        let x: Vec<f64> = (0..48).map(|i| f64::from(i * i % 29)).collect();
        let axes = [3, 1];
        let plain = z_score(&x, &shape, &axes, 1, &[], None, None, 0.25);
        let plain_mvn = mean_variance_norm(&x, &shape, &axes, &[], None, None, 0.25);
        for weight_axes in naive::subsets(4) {
            let weight = naive::parameters(&shape, &weight_axes);
            let bias: Vec<f64> = weight.iter().map(|w| w * w).collect();
            let affine = |y: &[f64]| -> Vec<f64> {
                let apply = |(element, y)| {
                    let p = naive::index_along(element, &shape, &weight_axes);
                    y * weight[p] + bias[p]
                };
                y.iter().enumerate().map(apply).collect()
            };
            let z = z_score(&x, &shape, &axes, 1, &weight_axes, Some(&weight), Some(&bias), 0.25);
            assert_eq!(z.y, affine(&plain.y));
            assert_eq!((&z.mean, &z.var, &z.rstd), (&plain.mean, &plain.var, &plain.rstd));
            let mvn = mean_variance_norm(&x, &shape, &axes, &weight_axes, Some(&weight), Some(&bias), 0.25);
            assert_eq!(mvn.y, affine(&plain_mvn.y));
        }
    }

    #[test]
    fn no_axes_and_all_axes() {
        // Every element its own segment: constant, hence 0.
        assert_eq!(z_score(&[3.0, 4.0], &[2], &[], 0, &[0], None, None, 0.0).y, [0.0, 0.0]);
        assert_eq!(z_score(&[3.0, 5.0], &[2], &[0], 0, &[], None, None, 0.0).y, [-1.0, 1.0]);
        // A scalar.
        assert_eq!(
            z_score(&[3.0], &[], &[], 0, &[], Some(&[2.0]), Some(&[7.0]), 0.0).y,
            [7.0]
        );
        assert_eq!(z_score(&[3.0], &[1], &[0], 1, &[], None, None, 0.0).y, [0.0]);
    }

    #[test]
    fn empty_tensors() {
        let output = z_score(&[], &[0, 2], &[0], 0, &[1], None, None, 0.0);
        assert!(output.y.is_empty());
        assert_close(&output.mean, &[f64::NAN; 2], 0.0);
        assert!(
            mean_variance_norm(&[], &[0, 2], &[1], &[0], None, None, 0.0)
                .mean
                .is_empty()
        );
    }
}
