//! GPU normalization kernels on wgpu.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod context;
#[cfg(not(target_family = "wasm"))]
pub mod cpu;
mod error;
pub mod geometry;
pub mod plan;
mod ranges;
mod record;
pub mod reference;
pub mod shader;
pub mod spec;
mod statistics;
mod traits;
mod tuning;
pub mod verify;

pub use arguments::{Forward, View};
pub use context::{AdapterOptions, Context};
pub use error::{Error, ErrorKind, Result};
pub use record::{Bound, Merge, MergePlan, Plan};
pub use spec::{
    Affine, BatchNorm, DType, GroupNorm, InstanceNorm, LayerNorm, Layout, MeanVarianceNorm, Normalization, OneValue,
    Operation, Preset, RmsNorm, RunningVariance, ZScore,
};
pub use statistics::{Moments, Record};
pub use traits::DeviceTraits;
pub use tuning::{MAX_TRIPS, Tuning, Variant};
pub use wgpu;
