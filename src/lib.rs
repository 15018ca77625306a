//! Normalization kernels on [wgpu]: batch, layer, RMS, instance, group, Lp and local response norm, z-score and
//! mean-variance normalization of f32 tensors in the caller's buffers, over any axes, of any strided view, at any size.
//!
//! The crate runs on the caller's device and records into the caller's command encoder. It creates pipelines, bind
//! groups and small parameter buffers, and nothing else; it never submits, polls or maps. (The helpers of
//! [`verify::transfer`] do, for programs and tests that wait for results anyway.)
//!
//! ```
//! use wgnorm::verify::transfer::{create, download, upload};
//! use wgnorm::{Context, Forward, LayerNorm};
//! # pollster::block_on(async {
//! // With a device of the program's own: Context::new(&device, &queue).
//! let context = Context::request(&Default::default()).await?;
//!
//! // 2 rows of 4 values. The weight and the bias of a layer norm are on by default.
//! let plan = LayerNorm::new(&[2, 4]).weight(false).bias(false).plan(&context)?;
//! println!("{plan}"); // kernels, dispatches, workspace
//!
//! let x = upload(&context, "x", &[0.0f32, 1.0, 2.0, 3.0, 1e6, 1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0]);
//! let y = create(&context, "y", 8 * 4);
//! let workspace = context.create_workspace(plan.workspace_size());
//! let bound = plan.bind(&Forward::new(&x, &y).workspace(&workspace))?;
//!
//! let mut encoder = context.device().create_command_encoder(&Default::default());
//! bound.record(&mut encoder);
//! context.queue().submit([encoder.finish()]);
//!
//! let y: Vec<f32> = download(&context, &y, 0..8).await?;
//! // (0 - 1.5) / sqrt(1.25 + 1e-5), wherever the row begins.
//! assert!((y[0] + 1.341_635).abs() < 1e-5 && (y[4] + 1.341_635).abs() < 1e-5);
//! # Ok::<(), wgnorm::Error>(()) }).unwrap();
//! ```
//!
//! # Operations
//!
//! Every normalization reduces **segments** of a tensor to a few statistics and then maps each element with them.
//! n is the length of a segment, `var` the biased variance (divisor n).
//!
//! | operation | builder | segment | y |
//! |---|---|---|---|
//! | batch norm | [`BatchNorm`] | a channel of the batch | `(x - mean) / sqrt(var + eps) * weight[c] + bias[c]` |
//! | layer norm | [`LayerNorm`] | the axes from `axis` on, or any axes | `(x - mean) / sqrt(var + eps) * weight + bias` |
//! | RMS norm | [`RmsNorm`] | the axes from `axis` on, or any axes | `x / sqrt(mean(x^2) + eps) * weight` |
//! | instance norm | [`InstanceNorm`] | a channel of a sample | `(x - mean) / sqrt(var + eps) * weight[c] + bias[c]` |
//! | group norm | [`GroupNorm`] | a group of channels of a sample | `(x - mean) / sqrt(var + eps) * weight[c] + bias[c]` |
//! | z-score | [`ZScore`] | any axes | `(x - mean) / sqrt(sum((x - mean)^2) / (n - ddof) + eps)` |
//! | mean-variance | [`MeanVarianceNorm`] | any axes | `(x - mean) / (sqrt(var) + eps)` |
//! | Lp norm | [`LpNorm`] | any axes | `x / max(norm, eps)`, `norm = sum(abs(x)^p)^(1/p)` |
//! | local response norm | [`LocalResponseNorm`] | a window of channels | `x[c] / (k + alpha / size * sum(x[i]^2))^beta` |
//! | merge of moments | [`Merge`] | parts of a segment | moments of the whole segment |
//!
//! Tensors are row-major and dense unless `input_strides` or `output_strides` say how they lie; weight and bias may be
//! indexed by any axes (`weight_axes`). Channel operations take N×C×spatial or, with
//! [`Layout::ChannelsLast`], N×spatial×C. Default eps, momentum and other conventions come from a [`Preset`], whose
//! documentation has the table of PyTorch, ONNX, Keras and Flax.
//!
//! # Plan, bind, record
//!
//! 1. A builder's `plan` checks it and fixes kernels, dispatches and workspace for a [`Context`]: a [`Plan`]. Pipelines
//!    are compiled here and kept by the context.
//! 2. [`Plan::bind`] checks the buffers of a call, given as [`Forward`] with named [`View`]s, and makes bind groups: a
//!    [`Bound`]. The extent of the outermost axis may differ from the planned one.
//! 3. [`Bound::record`] or [`Bound::record_in`] records the dispatches, as often as wanted, without allocating.
//!
//! [`Plan::forward`] is bind and record in one. Every [`Error`] comes before anything is recorded, and names the
//! argument and what was expected. An empty tensor is valid: nothing is dispatched.
//!
//! # Backward
//!
//! [`Operation::plan_backward`] plans dx, dweight and dbias ([`Gradients`]) of every operation; its calls bind [`Backward`].
//! [`BackwardPlan`] has the formulas.
//!
//! # Stages
//!
//! The halves of a normalization are plans of their own. `plan_statistics` takes x to one [`Moments`] per segment,
//! [`Merge`] combines the moments of parts, `plan_apply` takes x and moments to y (and writes the records and running
//! statistics that the whole would). Synchronized batch norm is those three with a transfer between. What the whole
//! computes about a segment can be saved as a [`Record`]. Backward, `plan_backward_sums` takes x and dy of a share to one
//! [`GradientSums`] per segment, and `plan_backward_apply` the sums of all shares to dx.
//!
//! # Accuracy
//!
//! Variance is taken about a pivot near the mean and merged by the rule of Chan, Golub and LeVeque (1983); the mean is
//! a pair of f32; sums and squares that would overflow or underflow are scaled by a power of two. A constant segment
//! gives exactly bias. A NaN or an infinity stays in its segment. [`verify::tolerances`] derives the error allowed in
//! the tests. Results are bitwise the same at every run; with `batch_invariant` they do not depend on the number of
//! segments either. An adapter may flush subnormals to 0.
//!
//! # Modules
//!
//! [`scaler`] scales features: parameters learned from some data are applied to others, and undone. [`spec`] is what is normalized, [`plan`](mod@plan) and [`shader`] how, as plain data; [`geometry`] the index
//! arithmetic between. [`reference`](mod@reference) is the f64 oracle, [`cpu`] a multi-threaded path without a GPU, [`verify`] the
//! cases and tolerances of tests and programs.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod backward;
mod context;
#[cfg(not(target_family = "wasm"))]
pub mod cpu;
mod error;
pub mod geometry;
pub mod plan;
mod planning;
mod ranges;
mod record;
pub mod reference;
pub mod scaler;
pub mod shader;
pub mod spec;
mod statistics;
mod traits;
mod tuning;
pub mod verify;

pub use arguments::{Forward, View};
pub use backward::{Backward, BackwardPlan};
pub use context::{AdapterOptions, Context};
pub use error::{Error, ErrorKind, Result};
pub use record::{Bound, Merge, MergePlan, Plan};
pub use spec::{
    Affine, BatchNorm, DType, Gradients, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, LpNorm,
    MeanVarianceNorm, Normalization, OneValue, Operation, Preset, RmsNorm, RunningVariance, ZScore, ZeroNorm,
};
pub use statistics::{GradientSums, Moments, Record};
pub use traits::DeviceTraits;
pub use tuning::{MAX_TRIPS, TABLE_VERSION, Tuning, TuningTable, Variant};
pub use wgpu;

/// The README's example, compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
