//! What the kernels write about a segment: records and moments.

use bytemuck::{Pod, Zeroable};

/// The statistics of one segment as the application uses them: 16 bytes.
///
/// `y = ((x * scale - m) * r - e * r) * weight + bias`. The scale is a power of two, and 1 for all but huge or tiny
/// values; m is the f32 rounding of the scaled mean and e its rest.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
pub struct Record {
    /// The scaled mean, rounded to f32.
    pub m: f32,
    /// What the rounding left.
    pub e: f32,
    /// `1 / sqrt(var + eps)` of the scaled values.
    pub r: f32,
    /// What x is multiplied by.
    pub scale: f32,
}

impl Record {
    /// The record of a mean and an rstd.
    pub fn new(mean: f64, rstd: f64) -> Self {
        // rstd of f32 data lies within 2^-128 and 2^160: this far into the f32 range either end is safe, and the
        // mean of data that small or large is still in range.
        const FAR: f64 = (1u128 << 64) as f64;
        let scale = if !rstd.is_finite() || rstd == 0.0 || (rstd as f32).is_normal() {
            1.0
        } else if rstd > 1.0 {
            FAR
        } else {
            1.0 / FAR
        };
        let mean = mean * scale;
        let m = mean as f32;
        Self {
            m,
            e: (mean - f64::from(m)) as f32,
            r: (rstd / scale) as f32,
            scale: scale as f32,
        }
    }

    /// The mean, to more than f32's digits.
    pub fn mean(&self) -> f64 {
        (f64::from(self.m) + f64::from(self.e)) / f64::from(self.scale)
    }

    /// `1 / sqrt(var + eps)`, or what the operation has in its place.
    pub fn rstd(&self) -> f64 {
        f64::from(self.r) * f64::from(self.scale)
    }
}

/// The moments of one segment, or of a part of it: 32 bytes. They merge; see [`Merge`](crate::Merge).
///
/// `mean = (m + e) 2^exponent` and `sum((x - mean)^2) = m2 4^exponent`. The exponent is 0 for all but huge or tiny
/// values, very negative where all values are 0, and above 4095 where a NaN or an infinity is among them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
pub struct Moments {
    /// The scaled mean, rounded to f32. For p-norms of other p than 1, 2 and infinity, what the values were divided by
    /// besides the power of two.
    pub m: f32,
    /// What the rounding left.
    pub e: f32,
    /// Sum of the squared deviations from the mean (for RMS norm, from 0) of the scaled values.
    pub m2: f32,
    /// Number of values.
    pub count: u32,
    /// The scale's exponent.
    pub exponent: i32,
    /// Zero.
    pub padding: [u32; 3],
}

impl Moments {
    /// The mean; NaN where a value is not finite.
    pub fn mean(&self) -> f64 {
        self.finite((f64::from(self.m) + f64::from(self.e)) * 2f64.powi(self.exponent.clamp(-512, 511)))
    }

    /// The variance with divisor `count - ddof`; NaN where a value is not finite.
    pub fn variance(&self, ddof: u32) -> f64 {
        let sum = f64::from(self.m2) * 2f64.powi(2 * self.exponent.clamp(-512, 511));
        self.finite(sum / f64::from(self.count.saturating_sub(ddof)))
    }

    fn finite(&self, value: f64) -> f64 {
        if self.exponent < 4096 { value } else { f64::NAN }
    }
}

/// What the gradient of x takes of one segment, or of a share of it, besides single elements: 16 bytes. Shares merge by
/// adding all fields as f32, which is what an all-reduce does; counts stay exact up to 2^32 elements in 256 shares.
///
/// With g = dy weight: see [`Operation::plan_backward_sums`](crate::spec::Operation::plan_backward_sums).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
pub struct GradientSums {
    /// `sum(g)`.
    pub g: f32,
    /// `sum(g x_hat)`.
    pub g_x_hat: f32,
    /// Elements, less those of `count_high`.
    pub count_low: f32,
    /// Elements, in units of 65,536.
    pub count_high: f32,
}

impl GradientSums {
    /// Number of elements.
    pub fn count(&self) -> u64 {
        self.count_high as u64 * 65_536 + self.count_low as u64
    }
}

impl std::ops::Add for GradientSums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            g: self.g + other.g,
            g_x_hat: self.g_x_hat + other.g_x_hat,
            count_low: self.count_low + other.count_low,
            count_high: self.count_high + other.count_high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_holds(mean: f64, rstd: f64, scale: f32) {
        let record = Record::new(mean, rstd);
        assert_eq!(record.scale, scale);
        assert!(
            (record.mean() - mean).abs() <= mean.abs() * 2f64.powi(-48),
            "{record:?}"
        );
        assert!((record.rstd() - rstd).abs() <= rstd * 2f64.powi(-24), "{record:?}");
    }

    #[test]
    fn mean_and_rstd_survive() {
        let far = 2f32.powi(64);
        assert_holds(1e6 + 1.0 / 3.0, 0.3, 1.0);
        assert_holds(-1e30, 1e-30, 1.0);
        assert_holds(3e38, 4e-39, 1.0 / far);
        assert_holds(1e-40, 1e41, far);
        assert_holds(0.0, 1e45, far);
    }

    #[test]
    fn special_values_are_kept() {
        assert_eq!(
            Record::new(0.0, 0.0),
            Record {
                scale: 1.0,
                ..Record::default()
            }
        );
        assert_eq!(Record::new(1.0, f64::INFINITY).rstd(), f64::INFINITY);
        let record = Record::new(f64::NAN, f64::NAN);
        assert!(record.mean().is_nan() && record.rstd().is_nan());
    }
}
