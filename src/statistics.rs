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
    /// The scaled mean, rounded to f32.
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
