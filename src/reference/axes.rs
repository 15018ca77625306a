use super::moments::mean_variance;
use super::{Output, Parameters, check_shape};

/// Z-score over `axes`.
///
/// ```text
/// y = (x - mean) / sqrt(sum((x - mean)^2) / (n - ddof) + eps) * weight + bias
/// ```
///
/// Where var + eps is 0 the divisor is 1, so that a constant segment gives 0. Weight and bias have the shape of
/// the axes that are not named. Source: scikit-learn's `StandardScaler` (ddof 0); `scale` of R (ddof 1).
pub fn z_score(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    ddof: u32,
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
    normalize_axes(
        x,
        shape,
        axes,
        weight,
        bias,
        |segment| mean_variance(segment, ddof),
        scale,
    )
}

/// Mean-variance normalization over `axes`, with eps added to the standard deviation.
///
/// ```text
/// y = (x - mean) / (sqrt(var) + eps) * weight + bias
/// ```
///
/// Weight and bias have the shape of the axes that are not named. Source: ONNX MeanVarianceNormalization-13,
/// whose function body adds 1e-9 to the standard deviation (and has no weight).
pub fn mean_variance_norm(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    eps: f64,
) -> Output {
    let scale = |var: f64| 1.0 / (var.sqrt() + eps);
    normalize_axes(x, shape, axes, weight, bias, |segment| mean_variance(segment, 0), scale)
}

fn normalize_axes(
    x: &[f64],
    shape: &[usize],
    axes: &[usize],
    weight: Option<&[f64]>,
    bias: Option<&[f64]>,
    statistics: impl Fn(&[f64]) -> (f64, f64),
    scale: impl Fn(f64) -> f64,
) -> Output {
    check_shape(x, shape);
    assert!(
        axes.iter().all(|&axis| axis < shape.len()),
        "axes {axes:?} of {shape:?}"
    );
    let segments = offsets(shape, |axis| !axes.contains(&axis));
    let elements = offsets(shape, |axis| axes.contains(&axis));
    let parameters = Parameters::new(weight, bias, segments.len());
    let mut output = Output::new(x.len());
    for (segment, start) in segments.iter().enumerate() {
        let places = elements.iter().map(|offset| (start + offset, segment));
        output.push_segment(x, places, &statistics, &scale, parameters);
    }
    output
}

/// Offsets in a row-major tensor of all positions along the `chosen` axes, the others at 0.
fn offsets(shape: &[usize], chosen: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut offsets = vec![0];
    for axis in (0..shape.len()).filter(|&axis| chosen(axis)) {
        let stride: usize = shape[axis + 1..].iter().product();
        let steps = (0..shape[axis]).map(|position| position * stride);
        offsets = (offsets.iter())
            .flat_map(|start| steps.clone().map(move |step| start + step))
            .collect();
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_close, batch_norm};
    use crate::spec::Layout;

    #[test]
    fn columns_of_a_table_by_hand() {
        // Columns 1 3 5 7 (mean 4, var 5 or 20/3) and 9 9 9 9.
        let x = [1.0, 9.0, 3.0, 9.0, 5.0, 9.0, 7.0, 9.0];
        let biased = z_score(&x, &[4, 2], &[0], 0, None, None, 0.0);
        let r = 1.0 / 5f64.sqrt();
        assert_close(&biased.y, &[-3.0 * r, 0.0, -r, 0.0, r, 0.0, 3.0 * r, 0.0], 1e-15);
        assert_eq!((biased.mean, biased.var), (vec![4.0, 9.0], vec![5.0, 0.0]));
        assert_eq!(biased.rstd[1], 1.0);
        let unbiased = z_score(&x, &[4, 2], &[0], 1, Some(&[2.0, 1.0]), Some(&[0.0, 0.5]), 0.0);
        assert_close(&unbiased.var, &[20.0 / 3.0, 0.0], 1e-15);
        assert_close(&unbiased.y[..2], &[-6.0 / (20f64 / 3.0).sqrt(), 0.5], 1e-15);
    }

    #[test]
    fn eps_is_added_to_the_deviation() {
        let output = mean_variance_norm(&[1.0, 5.0, 3.0, 3.0], &[2, 2], &[1], None, None, 0.5);
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
            &z_score(&x, &shape, &[3, 0, 2], 0, Some(&weight), None, 0.0).y,
            &expected.y,
            1e-15,
        );
        let mvn = mean_variance_norm(&x, &shape, &[0, 2, 3], Some(&weight), None, 0.0);
        assert_close(&mvn.y, &expected.y, 1e-14);
    }

    #[test]
    fn no_axes_and_all_axes() {
        // Every element its own segment: constant, hence 0.
        assert_eq!(z_score(&[3.0, 4.0], &[2], &[], 0, None, None, 0.0).y, [0.0, 0.0]);
        assert_eq!(z_score(&[3.0, 5.0], &[2], &[0], 0, None, None, 0.0).y, [-1.0, 1.0]);
        // A scalar.
        assert_eq!(z_score(&[3.0], &[], &[], 0, Some(&[2.0]), Some(&[7.0]), 0.0).y, [7.0]);
        assert_eq!(z_score(&[3.0], &[1], &[0], 1, None, None, 0.0).y, [0.0]);
    }

    #[test]
    fn empty_tensors() {
        let output = z_score(&[], &[0, 2], &[0], 0, None, None, 0.0);
        assert!(output.y.is_empty());
        assert_close(&output.mean, &[f64::NAN; 2], 0.0);
        assert!(mean_variance_norm(&[], &[0, 2], &[1], None, None, 0.0).mean.is_empty());
    }
}
