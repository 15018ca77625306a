//! What a dispatch is told at run time.

use bytemuck::{Pod, Zeroable};

use crate::geometry::MAX_DIGITS;

/// A digit as the shaders see it; strides in units or elements, see `shaders/params.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
pub struct ParamDigit {
    /// Number of positions.
    pub extent: u32,
    /// Stride in x.
    pub x: u32,
    /// Stride in y.
    pub y: u32,
    /// Stride in weight and bias.
    pub weight: u32,
    /// Stride in the records.
    pub record: u32,
    /// Zero.
    pub padding: [u32; 3],
}

/// What one dispatch is told at run time: the uniform block of `shaders/params.wgsl`, where the fields are
/// explained.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
#[allow(missing_docs)]
pub struct Params {
    pub segments: u32,
    pub units: u32,
    pub run_units: u32,
    pub x_offset: u32,
    pub weight_offset: u32,
    pub record_offset: u32,
    pub bias_shift: u32,
    pub count: u32,
    pub eps: f32,
    pub ddof: u32,
    pub min_exponent: i32,
    pub zero: u32,
    pub spans: u32,
    pub span_units: u32,
    pub first_span: u32,
    pub parts_stride: u32,
    pub digits: [ParamDigit; MAX_DIGITS],
    pub step_x: u32,
    pub step_y: u32,
    pub step_weight: u32,
    pub y_offset: u32,
    pub y_shift: u32,
    pub tail: u32,
    pub parts: u32,
    pub parts_group: u32,
    pub instances: u32,
    pub rate: f32,
    pub unbiased: u32,
    pub skip_non_finite: u32,
    pub renorm_ratio: f32,
    pub renorm_shift: f32,
    pub power: [f32; 2],
    pub root: [f32; 2],
    pub window_left: u32,
    pub window_right: u32,
    pub window_step: u32,
    pub window_scale: f32,
    pub window_k: f32,
    pub negative_base: i32,
    pub first_channel: u32,
    pub channels: u32,
    pub dx_shift: u32,
    pub dweight_offset: u32,
    pub dbias_offset: u32,
    pub accumulate: u32,
}
