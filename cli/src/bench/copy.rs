//! Copies: what a kernel that reads once and writes once could reach on a device.

use std::collections::BTreeMap;

use serde::Serialize;
use wgnorm::Context;
use wgnorm::wgpu::{self, BufferUsages};

use super::eviction::warm_up;
use super::timing::{Timed, Work, median};
use crate::failure::{Failure, Result};
use crate::resident::buffer;

#[derive(Debug)]
struct Shader {
    name: &'static str,
    source: &'static str,
    entry: &'static str,
    /// Invocations of a workgroup.
    threads: u32,
    /// Bytes that one invocation copies.
    each: u32,
    constant: Option<(&'static str, u32)>,
}

const REFERENCE: Shader = Shader {
    name: "mat4x4",
    source: include_str!("../../shaders/copy_mat4.wgsl"),
    entry: "copy",
    threads: 256,
    each: 64,
    constant: None,
};

const fn vec4(name: &'static str, threads: u32) -> Shader {
    Shader {
        name,
        source: include_str!("../../shaders/copy_vec4.wgsl"),
        entry: "copy",
        threads,
        each: 16,
        constant: Some(("THREADS", threads)),
    }
}

const fn tile(name: &'static str, entry: &'static str, vectors: u32) -> Shader {
    Shader {
        name,
        source: include_str!("../../shaders/copy_tiles.wgsl"),
        entry,
        threads: 256,
        each: 16 * vectors,
        constant: None,
    }
}

const fn lane(name: &'static str, words: u32) -> Shader {
    Shader {
        name,
        source: include_str!("../../shaders/copy_lane.wgsl"),
        entry: "copy",
        threads: 64,
        each: 16 * words,
        constant: Some(("WORDS", words)),
    }
}

/// What the best copy is looked for among. `REFERENCE` comes first.
static SWEEP: [Shader; 10] = [
    REFERENCE,
    vec4("vec4", 256),
    vec4("vec4_512", 512),
    vec4("vec4_1024", 1024),
    tile("vec4x2", "copy2", 2),
    tile("vec4x4", "copy4", 4),
    tile("vec4x8", "copy8", 8),
    lane("lane4", 4),
    lane("lane16", 16),
    lane("lane64", 64),
];

/// Bandwidths at one size, in 10^9 bytes read and written a second.
#[derive(Serialize, Debug)]
pub struct Sweep {
    pub reference_gbps: f64,
    pub best_gbps: f64,
    pub buffer_gbps: f64,
    pub shaders: BTreeMap<&'static str, f64>,
    /// The name of the fastest shader.
    pub best: &'static str,
    /// Bytes read and written together by each.
    pub bytes: u64,
}

/// A copy between two buffers.
pub struct Copy {
    context: Context,
    src: wgpu::Buffer,
    dst: wgpu::Buffer,
    /// Nothing for `copy_buffer_to_buffer`.
    dispatch: Option<Dispatch>,
}

struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

impl Copy {
    /// copy_reference moving `bytes` in all, half read and half written, rounded up to whole invocations.
    pub fn reference(context: &Context, bytes: u64) -> Result<Self> {
        let size = (bytes / 2).max(1).next_multiple_of(64);
        let limits = context.device().limits();
        if size > limits.max_storage_buffer_binding_size {
            return Err(Failure::Input(format!(
                "a copy of {size} bytes exceeds the largest binding of {} bytes",
                limits.max_storage_buffer_binding_size
            )));
        }
        let src = buffer(context, "copy source", size, BufferUsages::COPY_SRC)?;
        let dst = buffer(context, "copy destination", size, BufferUsages::COPY_DST)?;
        Ok(Self::between(context, src, dst, Some(&REFERENCE)))
    }

    /// The copy by the shader of a sweep with this name, between the same buffers.
    pub fn named(&self, name: &str) -> Self {
        let shader = SWEEP.iter().find(|shader| shader.name == name).unwrap_or(&REFERENCE);
        self.by(Some(shader))
    }

    /// A copy of a few bytes of what this one writes, which has to wait for it.
    pub fn reader(&self) -> Result<Self> {
        let dst = buffer(&self.context, "copy reader", 64, BufferUsages::COPY_DST)?;
        Ok(Self::between(&self.context, self.dst.clone(), dst, Some(&REFERENCE)))
    }

    /// By another shader, or by none, between the same buffers.
    fn by(&self, shader: Option<&Shader>) -> Self {
        Self::between(&self.context, self.src.clone(), self.dst.clone(), shader)
    }

    fn between(context: &Context, src: wgpu::Buffer, dst: wgpu::Buffer, shader: Option<&Shader>) -> Self {
        Self {
            context: context.clone(),
            dispatch: shader.map(|shader| Dispatch::new(context, shader, &src, &dst)),
            src,
            dst,
        }
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        2 * self.src.size()
    }

    pub fn gbps(&self, samples: &[f64]) -> f64 {
        self.bytes() as f64 / median(samples) * 1e-6
    }
}

impl Dispatch {
    fn new(context: &Context, shader: &Shader, src: &wgpu::Buffer, dst: &wgpu::Buffer) -> Self {
        let device = context.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let constant = shader.constant.map(|(name, value)| (name, f64::from(value)));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: None,
            module: &module,
            entry_point: Some(shader.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: constant.as_slice(),
                ..Default::default()
            },
            cache: None,
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(shader.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: src.as_entire_binding(),
                },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: dst.as_entire_binding(),
                },
            ],
        });
        // Rows of workgroups, since one dimension of a dispatch is limited to 65,535.
        let groups = dst.size().div_ceil(u64::from(shader.threads) * u64::from(shader.each));
        let width = groups.min(u64::from(device.limits().max_compute_workgroups_per_dimension));
        Self {
            pipeline,
            bind_group,
            groups: [width as u32, groups.div_ceil(width) as u32],
        }
    }
}

impl Work for Copy {
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        if self.dispatch.is_none() {
            encoder.copy_buffer_to_buffer(&self.src, 0, &self.dst, 0, self.src.size());
        } else {
            self.record_in(&mut encoder.begin_compute_pass(&Default::default()));
        }
    }

    fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) -> bool {
        let Some(dispatch) = &self.dispatch else {
            return false;
        };
        pass.set_pipeline(&dispatch.pipeline);
        pass.set_bind_group(0, &dispatch.bind_group, &[]);
        pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
        true
    }
}

/// Times every way to copy `bytes` (read and written together), interleaved.
pub fn sweep(context: &Context, bytes: u64, runs: usize) -> Result<Sweep> {
    let reference = Copy::reference(context, bytes)?;
    let limits = context.device().limits();
    let most = (limits.max_compute_invocations_per_workgroup).min(limits.max_compute_workgroup_size_x);
    let shaders = SWEEP.iter().filter(|shader| shader.threads <= most);
    let mut copies: Vec<_> = shaders
        .map(|shader| (shader.name, reference.by(Some(shader))))
        .collect();
    copies.push(("buffer", reference.by(None)));
    let mut timed = (copies.iter())
        .map(|(_, copy)| Timed::new(context, copy))
        .collect::<Result<Vec<_>>>()?;
    warm_up(context, &reference)?;
    for _ in 0..runs {
        for timed in &mut timed {
            timed.sample()?;
        }
    }
    let gbps = (copies.iter().zip(&timed)).map(|((name, copy), timed)| (*name, copy.gbps(timed.samples())));
    let mut shaders: BTreeMap<_, _> = gbps.collect();
    let buffer_gbps = shaders.remove("buffer").unwrap_or(f64::NAN);
    let (mut best, mut best_gbps) = (REFERENCE.name, shaders[REFERENCE.name]);
    for (&name, &gbps) in &shaders {
        if gbps > best_gbps {
            (best, best_gbps) = (name, gbps);
        }
    }
    Ok(Sweep {
        reference_gbps: shaders[REFERENCE.name],
        best_gbps,
        buffer_gbps,
        shaders,
        best,
        bytes: reference.bytes(),
    })
}
