//! GPU normalization kernels on wgpu.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod context;
mod error;
pub mod geometry;
pub mod plan;
mod ranges;
mod record;
pub mod shader;
pub mod spec;
mod statistics;
mod traits;
mod tuning;

pub use arguments::{Forward, View};
pub use context::{AdapterOptions, Context};
pub use error::{Error, ErrorKind, Result};
pub use record::{Bound, Merge, MergePlan, Plan};
pub use spec::{
    Affine, BatchNorm, DType, GroupNorm, InstanceNorm, LayerNorm, Layout, MeanVarianceNorm, Normalization, OneValue,
    Preset, RmsNorm, RunningVariance, ZScore,
};
pub use statistics::{Moments, Record};
pub use traits::DeviceTraits;
pub use tuning::{MAX_TRIPS, Tuning, Variant};
pub use wgpu;
