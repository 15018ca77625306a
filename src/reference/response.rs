use super::check_shape;

/// Local response normalization: each element by the squares of its neighbours along `channel_axis`.
///
/// ```text
/// y[c] = x[c] / (k + alpha / size * sum(x[j]^2 for j in c - left ..= c + right within 0 .. C))^beta
/// ```
///
/// y has the shape of x, and there is neither weight nor bias. Outside the channels there are zeros, and `size` is
/// the divisor at the borders too; it is left + 1 + right in both conventions. PyTorch: left = size / 2 and right =
/// (size - 1) / 2, in whole numbers. ONNX: left = (size - 1) / 2 and right = size / 2; they differ where size is
/// even. The paper's alpha is alpha / size here. Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification
/// with Deep Convolutional Neural Networks", 2012, section 3.3; `torch.nn.LocalResponseNorm`; ONNX LRN-13.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn local_response_norm(
    x: &[f64],
    shape: &[usize],
    channel_axis: usize,
    left: usize,
    right: usize,
    size: usize,
    k: f64,
    alpha: f64,
    beta: f64,
) -> Vec<f64> {
    check_shape(x, shape);
    assert!(channel_axis < shape.len(), "axis {channel_axis} of {shape:?}");
    assert!(size > 0, "size 0");
    let outer: usize = shape[..channel_axis].iter().product();
    let channels = shape[channel_axis];
    let inner: usize = shape[channel_axis + 1..].iter().product();
    let mut y = vec![0.0; x.len()];
    for o in 0..outer {
        for c in 0..channels {
            let window = c.saturating_sub(left)..channels.min(c.saturating_add(right).saturating_add(1));
            for i in 0..inner {
                let at = |channel: usize| (o * channels + channel) * inner + i;
                let sum: f64 = window.clone().map(|j| x[at(j)].powi(2)).sum();
                y[at(c)] = x[at(c)] / (k + alpha / size as f64 * sum).powf(beta);
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{ZeroNorm, assert_close, lp_normalize};

    #[test]
    fn by_hand() {
        // Window of 3, alpha / size = 1, k = 1: 1 + (1 + 4), 1 + (1 + 4 + 9), 1 + (4 + 9 + 16), 1 + (9 + 16).
        let y = local_response_norm(&[1.0, -2.0, 3.0, 4.0], &[1, 4], 1, 1, 1, 3, 1.0, 3.0, 1.0);
        assert_close(&y, &[1.0 / 6.0, -2.0 / 15.0, 0.1, 4.0 / 26.0], 1e-16);
        let y = local_response_norm(&[1.0, -2.0, 3.0, 4.0], &[1, 4], 1, 1, 1, 3, 1.0, 3.0, 0.5);
        assert_close(&y[2..], &[3.0 / 30f64.sqrt(), 4.0 / 26f64.sqrt()], 1e-15);
    }

    #[test]
    fn windows_of_even_size() {
        // PyTorch's window of 2 is the channel and the one before it, ONNX's the channel and the one after.
        let norm = |left, right| local_response_norm(&[1.0, 2.0, 4.0], &[3, 1], 0, left, right, 2, 0.0, 2.0, 1.0);
        assert_close(&norm(2 / 2, (2 - 1) / 2), &[1.0, 0.4, 0.2], 1e-16);
        assert_close(&norm((2 - 1) / 2, 2 / 2), &[0.2, 0.1, 0.25], 1e-16);
    }

    #[test]
    fn against_padding_with_zeros() {
        // As PyTorch computes it: the squares padded with zeros, averaged over windows, times alpha.
        let x: Vec<f64> = (0..7).map(|i| f64::from(i * i % 5) - 1.5).collect();
        let (k, alpha, beta) = (2.0, 0.5, 0.75);
        for size in 1..=9 {
            let pytorch = (size / 2, (size - 1) / 2);
            let onnx = ((size - 1) / 2, size / 2);
            for (left, right) in [pytorch, onnx] {
                assert_eq!(left + 1 + right, size);
                let mut padded = vec![0.0; left];
                padded.extend(x.iter().map(|x| x * x));
                padded.extend(vec![0.0; right]);
                let average = padded
                    .windows(size)
                    .map(|window| window.iter().sum::<f64>() / size as f64);
                let expected: Vec<f64> = (x.iter().zip(average))
                    .map(|(x, average)| x * (k + alpha * average).powf(-beta))
                    .collect();
                assert_close(
                    &local_response_norm(&x, &[7], 0, left, right, size, k, alpha, beta),
                    &expected,
                    1e-15,
                );
            }
        }
    }

    #[test]
    fn any_channel_axis() {
        let x: Vec<f64> = (0..60).map(|i| f64::from(i * i % 23) - 9.0).collect();
        let norm = |x: &[f64], shape: &[usize], axis| local_response_norm(x, shape, axis, 1, 2, 4, 1.0, 0.3, 0.75);
        // x is 3x5x4, its channels in the middle; moved has them last.
        let place = |a: usize, c: usize, b: usize| (a * 5 + c) * 4 + b;
        let place_moved = |a: usize, c: usize, b: usize| (a * 4 + b) * 5 + c;
        let mut moved = vec![0.0; 60];
        let (middle, mut last) = (norm(&x, &[3, 5, 4], 1), vec![0.0; 60]);
        for a in 0..3 {
            for c in 0..5 {
                for b in 0..4 {
                    moved[place_moved(a, c, b)] = x[place(a, c, b)];
                    last[place_moved(a, c, b)] = middle[place(a, c, b)];
                }
            }
        }
        assert_eq!(norm(&moved, &[3, 4, 5], 2), last);
        assert_eq!(norm(&x, &[1, 3, 5, 2, 2], 2), middle);
        // Every slice along the first axis by itself.
        assert_eq!(norm(&x[20..40], &[5, 4], 0), middle[20..40]);
    }

    #[test]
    fn a_window_of_all_channels_is_the_two_norm() {
        let x = [3.0, 1.0, 4.0, 1.0, -5.0, 9.0];
        let y = local_response_norm(&x, &[2, 3], 1, 5, usize::MAX, 3, 0.0, 3.0, 0.5);
        let norm = lp_normalize(&x, &[2, 3], &[1], 2.0, 0.0, ZeroNorm::Floor, &[], None, None);
        assert_close(&y, &norm.y, 1e-15);
    }

    #[test]
    fn exponents_follow_ieee() {
        let norm = |x: &[f64], k, alpha, beta| local_response_norm(x, &[x.len()], 0, 1, 1, 3, k, alpha, beta);
        // beta 0: any value to the power 0 is 1, a NaN too.
        let y = norm(&[2.0, f64::NAN, 0.0, 5.0], 0.0, 1.0, 0.0);
        assert_close(&y, &[2.0, f64::NAN, 0.0, 5.0], 0.0);
        // 0 / 0, and a negative base with a fraction as exponent.
        assert!(norm(&[0.0, 0.0], 0.0, 1.0, 0.75).iter().all(|y| y.is_nan()));
        assert!(norm(&[1.0], -4.0, 3.0, 0.75)[0].is_nan());
        assert_eq!(norm(&[6.0], -4.0, 0.0, 2.0), [0.375]);
        // alpha 0: k alone; a negative beta multiplies.
        assert_eq!(norm(&[1.0, 3.0], 4.0, 0.0, -0.5), [2.0, 6.0]);
    }

    #[test]
    fn special_values_stay_in_their_windows() {
        let inf = f64::INFINITY;
        let y = local_response_norm(&[1.0, 1.0, inf, 1.0, 1.0], &[5], 0, 1, 0, 1, 1.0, 1.0, 1.0);
        assert_eq!((y[1], y[3], y[4]), (1.0 / 3.0, 0.0, 1.0 / 3.0));
        assert!(y[2].is_nan());
        let y = local_response_norm(&[1.0, f64::NAN, 1.0, 1.0], &[4], 0, 1, 0, 1, 1.0, 1.0, 1.0);
        assert!(y[1].is_nan() && y[2].is_nan() && !y[0].is_nan() && !y[3].is_nan());
        // Squares beyond f32.
        let y = local_response_norm(&[1e30, 1e30], &[2], 0, 1, 1, 2, 1.0, 1.0, 0.5);
        assert_close(&y, &[1.0, 1.0], 1e-15);
    }

    #[test]
    fn empty_tensors() {
        assert!(local_response_norm(&[], &[0, 3], 1, 1, 1, 3, 1.0, 1.0, 0.75).is_empty());
        assert!(local_response_norm(&[], &[2, 0, 3], 1, 1, 1, 3, 1.0, 1.0, 0.75).is_empty());
    }
}
