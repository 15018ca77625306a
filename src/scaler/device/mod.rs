//! Scalers on the device: data and results in the caller's buffers, parameters on the host.
//!
//! | kernel | mapping | chosen when |
//! |---|---|---|
//! | `scaler_fit` | an invocation per span of a feature, or of its rows of one key | min-max, max-abs, z-score are fitted |
//! | `scaler_count` | an invocation per span of a feature | order statistics are selected, histograms counted |
//! | `scaler_map` | an invocation per some elements | transforms, and back: lines after functions, quantile transforms |
//! | `scaler_unit` | an invocation per row | unit norms |

mod centers;
mod fit;
mod grouped;
mod histogram;
mod quantile;
mod reader;
mod selection;
mod shader;
mod transform;

use wgpu::util::DeviceExt;

use super::features::Features;
use super::method::Method;
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::record::{Bound, BoundStep, fold};
use shader::{Header, Input, Params, WORKGROUP};

pub use centers::DeviceCenters;
pub use fit::DeviceFitter;
pub use grouped::DeviceGroupedFitter;
pub use histogram::DeviceHistogram;
pub use reader::Recorded;
pub use selection::DeviceQuantiles;
pub use shader::{ScalerShader, scaler_shaders};
pub use transform::TransformPlan;

/// Iterations of all loops of an invocation, at most: llvmpipe ends it soon after, without an error.
const TRIPS: usize = 48_000;

/// Refuses what is computed on the CPU alone.
fn not_on_device<O>(method: &Method) -> Result<O> {
    let before = method
        .logarithm()
        .map_or(String::new(), |logarithm| format!("{} before ", logarithm.name()));
    bail!(
        Parameter,
        "method",
        "{before}{} is computed on the CPU alone, no kernel has it",
        method.name()
    );
}

/// A view that a kernel binds: from the 256-byte block in which it begins on.
struct Bind<'a> {
    number: u32,
    buffer: &'a wgpu::Buffer,
    start: u64,
    size: u64,
}

impl<'a> Bind<'a> {
    /// The elements that a tensor of this span takes, and how many lie before them in the binding.
    fn view(
        context: &Context,
        name: &'static str,
        number: u32,
        view: View<'a>,
        span: usize,
        input: Input,
    ) -> Result<(Self, u32)> {
        let bytes = input.bytes();
        let alignment = u64::from(context.traits().storage_alignment);
        if !view.buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            bail!(
                Usage,
                name,
                "the buffer has usage {:?}, STORAGE is needed",
                view.buffer.usage()
            );
        }
        let end = (span as u64)
            .checked_add(view.offset)
            .and_then(|end| end.checked_mul(bytes)?.checked_next_multiple_of(4));
        let Some(end) = end else {
            bail!(Overflow, name, "an offset of {} elements is out of range", view.offset);
        };
        if end > view.buffer.size() {
            bail!(
                Size,
                name,
                "reaches to byte {end} (kernels read words of 4), the buffer has {}",
                view.buffer.size()
            );
        }
        let start = view.offset * bytes / alignment * alignment;
        let size = end - start;
        let most = context.traits().binding_size;
        if size > most {
            bail!(
                Limit,
                name,
                "takes {size} bytes, the device binds {most}; fit and transform it in parts"
            );
        }
        let bind = Self {
            number,
            buffer: view.buffer,
            start,
            size,
        };
        Ok((bind, (view.offset - start / bytes) as u32))
    }

    /// A whole buffer.
    fn whole(number: u32, buffer: &'a wgpu::Buffer) -> Self {
        Self {
            number,
            buffer,
            start: 0,
            size: buffer.size(),
        }
    }
}

/// A dispatch of so many invocations.
fn bound(context: &Context, header: &Header, params: &Params, invocations: u64, binds: &[Bind<'_>]) -> Result<Bound> {
    let device = context.device();
    let pipeline = context.pipeline_of(header.name(), header.wgsl(), header.bindings())?;
    let uniform = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some(header.name()),
        contents: bytemuck::bytes_of(params),
        usage: wgpu::BufferUsages::UNIFORM,
    });
    let mut entries = vec![wgpu::BindGroupEntry {
        binding: 0,
        resource: uniform.as_entire_binding(),
    }];
    entries.extend(binds.iter().map(|bind| wgpu::BindGroupEntry {
        binding: bind.number,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: bind.buffer,
            offset: bind.start,
            size: std::num::NonZeroU64::new(bind.size),
        }),
    }));
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(header.name()),
        layout: &pipeline.layout,
        entries: &entries,
    });
    crate::context::device_result(scope)?;
    let workgroups = invocations.div_ceil(u64::from(WORKGROUP));
    let step = BoundStep {
        pipeline: pipeline.pipeline,
        bind_group,
        workgroups: fold(workgroups, context.traits().workgroups_per_dimension),
    };
    Ok(Bound::of(header.name(), vec![step]))
}

/// Refuses what the kernels cannot count in 32 bits.
fn check_indices(features: &Features, argument: &'static str) -> Result<()> {
    if features.span() > u32::MAX as usize / 4 || features.elements() > u32::MAX as usize / 4 {
        bail!(
            Limit,
            argument,
            "has {} elements over {}, kernels count 2^30; fit and transform it in parts",
            features.elements(),
            features.span()
        );
    }
    Ok(())
}

/// What both digits of the rows are in a kernel: of one digit, the inner one.
fn row_digits(features: &Features) -> (u32, u32, u32, bool) {
    match features.collapsed() {
        Some(rows) => (rows.extent.max(1) as u32, 0, rows.stride as u32, true),
        None => (
            features.inner.extent.max(1) as u32,
            features.outer.stride as u32,
            features.inner.stride as u32,
            false,
        ),
    }
}
