use crate::reference::check_shape;

/// Gradient of [`local_response_norm`](crate::reference::local_response_norm) with respect to x.
///
/// ```text
/// d[c] = k + alpha / size * sum(x[j]^2 for j in c - left ..= c + right within 0 .. C)
/// dx[j] = dy[j] / d[j]^beta - 2 alpha / size beta x[j] sum(dy[c] x[c] / d[c]^(beta + 1)), c with j in its window
/// ```
///
/// Those c are j - right ..= j + left. There is neither weight nor bias: with them, `dy` is dy times the weight, and
/// dweight and dbias are sums of dy times y and of dy. Source: `torch.nn.LocalResponseNorm` and its autograd.
#[expect(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn local_response_norm(
    x: &[f64],
    dy: &[f64],
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
    assert_eq!(dy.len(), x.len(), "elements of dy");
    assert!(channel_axis < shape.len(), "axis {channel_axis} of {shape:?}");
    assert!(size > 0, "size 0");
    let outer: usize = shape[..channel_axis].iter().product();
    let channels = shape[channel_axis];
    let inner: usize = shape[channel_axis + 1..].iter().product();
    let share = alpha / size as f64;
    let mut dx = vec![0.0; x.len()];
    for o in 0..outer {
        for i in 0..inner {
            let at = |channel: usize| (o * channels + channel) * inner + i;
            let window = |c: usize, before: usize, after: usize| {
                c.saturating_sub(before)..channels.min(c.saturating_add(after).saturating_add(1))
            };
            let squares = |c: usize| window(c, left, right).map(|j| x[at(j)].powi(2)).sum::<f64>();
            let d: Vec<f64> = (0..channels).map(|c| k + share * squares(c)).collect();
            for j in 0..channels {
                let term = |c: usize| dy[at(c)] * x[at(c)] * d[c].powf(-beta - 1.0);
                let sum: f64 = window(j, right, left).map(term).sum();
                dx[at(j)] = dy[at(j)] * d[j].powf(-beta) - 2.0 * share * beta * x[at(j)] * sum;
            }
        }
    }
    dx
}

#[cfg(test)]
mod tests {
    use super::super::Gradient;
    use super::super::differences::{self, Random};
    use super::*;
    use crate::reference::{self, assert_close};

    #[test]
    fn by_hand() {
        // A window of one, k 1, alpha 1, beta 1: y = x / (1 + x^2), of derivative (1 - x^2) / (1 + x^2)^2.
        let dx = local_response_norm(&[2.0, 0.0], &[1.0, 3.0], &[2], 0, 0, 0, 1, 1.0, 1.0, 1.0);
        assert_close(&dx, &[-0.12, 3.0], 1e-16);
    }

    #[test]
    fn windows_of_both_conventions_against_differences() {
        let mut random = Random::new(5);
        for (axis, shape) in [[5, 2, 2], [2, 5, 2], [2, 2, 5]].into_iter().enumerate() {
            for size in 1..=7 {
                for (left, right) in [(size / 2, (size - 1) / 2), ((size - 1) / 2, size / 2)] {
                    for beta in [0.75, 0.0, -1.0, 2.0] {
                        let (x, dy) = (random.values(20), random.values(20));
                        let forward = |x: &[f64]| {
                            reference::local_response_norm(x, &shape, axis, left, right, size, 1.5, 0.7, beta)
                        };
                        let gradient = Gradient {
                            dx: local_response_norm(&x, &dy, &shape, axis, left, right, size, 1.5, 0.7, beta),
                            dweight: Vec::new(),
                            dbias: Vec::new(),
                        };
                        differences::check(&x, &dy, Some((&[], &[])), &gradient, |x, _, _| forward(x));
                    }
                }
            }
        }
    }

    #[test]
    fn empty_tensors_have_no_gradient() {
        assert!(local_response_norm(&[], &[], &[0, 3], 1, 1, 1, 3, 1.0, 1.0, 0.75).is_empty());
    }
}
