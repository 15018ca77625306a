//! Copies: what a kernel that reads once and writes once could reach on a device.

use std::collections::BTreeMap;

use serde::Serialize;
use wgnorm::Context;
use wgnorm::wgpu::{self, BufferUsages};

use super::timing::{Timed, Work, median};
use crate::failure::{Failure, Result};
use crate::resident::buffer;

/// A way to copy.
#[derive(Debug, Clone, Copy)]
enum Method {
    Shader(&'static Shader),
    Buffer,
}

#[derive(Debug)]
struct Shader {
    name: &'static str,
    source: &'static str,
    /// Bytes that one workgroup copies.
    group_bytes: u64,
    /// The override `WORDS`, where the shader has it.
    words: Option<u32>,
}

const REFERENCE: Shader = Shader {
    name: "mat4x4",
    source: include_str!("../../shaders/copy_mat4.wgsl"),
    group_bytes: 256 * 64,
    words: None,
};

const fn lane(name: &'static str, words: u32) -> Shader {
    Shader {
        name,
        source: include_str!("../../shaders/copy_lane.wgsl"),
        group_bytes: 64 * 16 * words as u64,
        words: Some(words),
    }
}

/// What the best copy is looked for among. `REFERENCE` comes first.
static SWEEP: [Shader; 5] = [
    REFERENCE,
    Shader {
        name: "vec4",
        source: include_str!("../../shaders/copy_vec4.wgsl"),
        group_bytes: 256 * 16,
        words: None,
    },
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

/// A copy between two buffers of its own.
pub struct Copy {
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
        Self::new(context, Method::Shader(&SWEEP[0]), bytes)
    }

    /// The copy by the shader of a sweep with this name, moving as much.
    pub fn named(context: &Context, name: &str, bytes: u64) -> Result<Self> {
        let shader = SWEEP.iter().find(|shader| shader.name == name).unwrap_or(&SWEEP[0]);
        Self::new(context, Method::Shader(shader), bytes)
    }

    /// A copy that leaves nothing in a cache of what was there before, if any copy on this device can.
    pub fn evicting(context: &Context) -> Result<Self> {
        const MOST: u64 = 512 << 20;
        let binding = context.device().limits().max_storage_buffer_binding_size;
        Self::reference(context, MOST.min(2 * (binding - binding % 64)))
    }

    fn new(context: &Context, method: Method, bytes: u64) -> Result<Self> {
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
        let dispatch = match method {
            Method::Buffer => None,
            Method::Shader(shader) => Some(Dispatch::new(context, shader, &src, &dst)),
        };
        Ok(Self { src, dst, dispatch })
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
        let words = shader.words.map(|words| ("WORDS", f64::from(words)));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: None,
            module: &module,
            entry_point: Some("copy"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: words.as_slice(),
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
        let groups = src.size().div_ceil(shader.group_bytes);
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
    let shaders = SWEEP.iter().map(|shader| (shader.name, Method::Shader(shader)));
    let methods: Vec<_> = shaders.chain([("buffer", Method::Buffer)]).collect();
    let copies = methods
        .iter()
        .map(|(_, method)| Copy::new(context, *method, bytes))
        .collect::<Result<Vec<_>>>()?;
    let mut timed = copies
        .iter()
        .map(|copy| Timed::new(context, copy))
        .collect::<Result<Vec<_>>>()?;
    for _ in 0..runs {
        for timed in &mut timed {
            timed.sample()?;
        }
    }
    let gbps = copies
        .iter()
        .zip(&timed)
        .map(|(copy, timed)| copy.gbps(timed.samples()));
    let mut shaders: BTreeMap<_, _> = methods.iter().map(|(name, _)| *name).zip(gbps).collect();
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
        bytes,
    })
}
