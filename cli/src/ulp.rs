//! Errors in units in the last place of f32.

use wgnorm::spec::Operation;
use wgnorm::verify::Case;

/// The largest error of `y` in ULP at max(|reference|, |weight| + |bias|): the magnitude of what is added up, since
/// at a zero crossing of y no f32 kernel can keep the ULP of y itself.
pub fn largest(operation: &Operation, case: &Case, reference: &[f64], y: &[f32]) -> f64 {
    let at = |values: &Option<Vec<f32>>, index: usize, default: f64| match values {
        Some(values) => f64::from(values[index]).abs(),
        None => default,
    };
    let mut largest = 0f64;
    let mut weights = WeightIndex::new(operation);
    for (&reference, &y) in reference.iter().zip(y) {
        let index = weights.next();
        let natural = at(&case.weight, index, 1.0) + at(&case.bias, index, 0.0);
        let error = (f64::from(y) - reference).abs();
        if error > 0.0 {
            largest = largest.max(error / ulp(reference.abs().max(natural)));
        }
    }
    largest
}

/// Distance of neighbouring f32 at `magnitude`.
fn ulp(magnitude: f64) -> f64 {
    // The power of two of its exponent: a normal number, whatever the magnitude is.
    let power = magnitude.max(f64::from(f32::MIN_POSITIVE)).to_bits() & !((1 << 52) - 1);
    f64::from_bits(power) * f64::from(f32::EPSILON)
}

/// Runs through the elements in memory order and gives the index of each one's weight.
struct WeightIndex {
    /// Extent, position and stride of each axis.
    axes: Vec<(u32, u32, u32)>,
    index: u32,
}

impl WeightIndex {
    fn new(operation: &Operation) -> Self {
        let axes = operation
            .axes
            .iter()
            .map(|axis| (axis.extent, 0, axis.weight))
            .collect();
        Self { axes, index: 0 }
    }

    fn next(&mut self) -> usize {
        let index = self.index as usize;
        for (extent, position, stride) in self.axes.iter_mut().rev() {
            *position += 1;
            self.index += *stride;
            if *position < *extent {
                break;
            }
            self.index -= *stride * *extent;
            *position = 0;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgnorm::{BatchNorm, Normalization};

    #[test]
    fn ulp_of_f32() {
        assert_eq!(ulp(1.0), f64::from(f32::EPSILON));
        assert_eq!(ulp(3.0), 2.0 * f64::from(f32::EPSILON));
        assert_eq!(ulp(0.0), f64::from(f32::from_bits(1)));
    }

    #[test]
    fn channels_repeat() {
        let operation = BatchNorm::new(&[2, 3, 2]).operation().unwrap();
        let mut weights = WeightIndex::new(&operation);
        let indices: Vec<_> = (0..12).map(|_| weights.next()).collect();
        assert_eq!(indices, [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    }
}
