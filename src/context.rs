//! The device as the library sees it: traits, tuning, and compiled pipelines.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::error::{Error, ErrorKind, Result};
use crate::shader::{ENTRY_POINT, Header};
use crate::traits::DeviceTraits;
use crate::tuning::{Tuning, TuningTable};

/// A device and queue of the caller's, with what planning for them needs: their traits, the tuning table's row, and
/// the pipelines made so far. Cheap to clone; clones share the pipelines.
///
/// ```no_run
/// # async fn run() -> wgnorm::Result<()> {
/// use wgnorm::{Context, LayerNorm};
/// // With a device of your own: Context::new(&device, &queue).
/// let context = Context::request(&Default::default()).await?;
/// let plan = LayerNorm::new(&[4096, 1024]).plan(&context)?;
/// println!("{plan}");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    traits: DeviceTraits,
    tuning: Tuning,
    pipelines: Arc<Mutex<HashMap<Header, Pipeline>>>,
    /// Kernels that are no normalization's, by their text.
    others: Arc<Mutex<HashMap<String, Pipeline>>>,
    cache: Option<wgpu::PipelineCache>,
}

/// A compiled kernel and the layout of its bind group.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// Which adapter [`Context::request`] asks for.
#[derive(Debug, Clone)]
pub struct AdapterOptions {
    /// The backends to look at.
    pub backends: wgpu::Backends,
    /// A part of the adapter's name, in any case; without one, the first hardware adapter, else any.
    pub name: Option<String>,
    /// True for the adapter's own limits, false for the WebGPU defaults.
    pub adapter_limits: bool,
}

impl Default for AdapterOptions {
    fn default() -> Self {
        Self {
            backends: wgpu::Backends::all(),
            name: None,
            adapter_limits: true,
        }
    }
}

impl Context {
    /// A context on a device of the caller's. Nothing is created on it yet.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let traits = traits_of(device);
        Self::with(device, queue, traits, *Tuning::for_traits(&traits), None)
    }

    /// A context that plans by other traits than the device's own: lower limits, or without subgroups. For tests,
    /// and for measuring; traits that the device does not have make it refuse pipelines.
    pub fn with_traits(&self, traits: DeviceTraits) -> Self {
        self.derived(traits, *Tuning::for_traits(&traits))
    }

    /// A context that plans by another tuning.
    pub fn with_tuning(&self, tuning: Tuning) -> Self {
        self.derived(self.0.traits, tuning)
    }

    /// A context that plans by a table that `wgnorm tune` measured on this adapter and driver.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] if it was measured on another.
    pub fn with_table(&self, table: &TuningTable) -> Result<Self> {
        table.check(&self.0.info)?;
        Ok(self.with_tuning(table.tuning))
    }

    /// A context that plans otherwise, on the same device with the same pipelines.
    fn derived(&self, traits: DeviceTraits, tuning: Tuning) -> Self {
        let (device, queue) = (&self.0.device, &self.0.queue);
        Self(Arc::new(Inner {
            device: device.clone(),
            queue: queue.clone(),
            info: self.0.info.clone(),
            traits,
            tuning,
            pipelines: self.0.pipelines.clone(),
            others: self.0.others.clone(),
            cache: self.0.cache.clone(),
        }))
    }

    /// A context that compiles into the caller's pipeline cache.
    pub fn with_pipeline_cache(&self, cache: wgpu::PipelineCache) -> Self {
        Self::with(&self.0.device, &self.0.queue, self.0.traits, self.0.tuning, Some(cache))
    }

    fn with(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        traits: DeviceTraits,
        tuning: Tuning,
        cache: Option<wgpu::PipelineCache>,
    ) -> Self {
        Self(Arc::new(Inner {
            device: device.clone(),
            queue: queue.clone(),
            info: device.adapter_info(),
            traits,
            tuning,
            pipelines: Arc::default(),
            others: Arc::default(),
            cache,
        }))
    }

    /// A context on a device of its own, for programs that have none: asks for an adapter and for what wgnorm can
    /// use of its features (subgroups, 64-bit integers, timestamp queries).
    ///
    /// # Errors
    /// [`ErrorKind::Adapter`] if there is no such adapter, or it gives no device.
    pub async fn request(options: &AdapterOptions) -> Result<Self> {
        let adapter = find_adapter(options).await?;
        let limits = if options.adapter_limits {
            adapter.limits()
        } else {
            wgpu::Limits::default()
        };
        let wanted = wgpu::Features::SUBGROUP
            | wgpu::Features::SHADER_INT64
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE;
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("wgnorm"),
                required_features: adapter.features() & wanted,
                required_limits: limits,
                ..Default::default()
            })
            .await
            .map_err(|error| Error::new(ErrorKind::Adapter, "device", format!("the adapter gives none: {error}")))?;
        Ok(Self::new(&device, &queue))
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// The adapter behind the device.
    pub fn adapter_info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    /// What planning knows of the device.
    pub fn traits(&self) -> &DeviceTraits {
        &self.0.traits
    }

    /// The thresholds in force.
    pub fn tuning(&self) -> &Tuning {
        &self.0.tuning
    }

    /// A buffer that serves as the workspace of plans that need at most `bytes` bytes, one after the other: plans in
    /// one queue may share it.
    pub fn create_workspace(&self, bytes: u64) -> wgpu::Buffer {
        self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("wgnorm workspace"),
            size: bytes.max(4).next_multiple_of(4),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Number of pipelines made so far.
    pub fn pipelines(&self) -> usize {
        self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The pipeline of `header`, made at the first call.
    pub(crate) fn pipeline(&self, header: &Header) -> Result<Pipeline> {
        let known = |context: &Inner| {
            let pipelines = context.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
            pipelines.get(header).cloned()
        };
        if let Some(pipeline) = known(&self.0) {
            return Ok(pipeline);
        }
        let pipeline = self.compile(header)?;
        let mut pipelines = self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pipelines.entry(*header).or_insert(pipeline).clone())
    }

    /// The pipeline of a kernel's text, made at the first call; `bindings` are the storage buffers, by number and
    /// whether they are written.
    pub(crate) fn pipeline_of(&self, label: &str, wgsl: String, bindings: &[(u32, bool)]) -> Result<Pipeline> {
        let lock = || self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&wgsl).cloned();
        if let Some(pipeline) = known {
            return Ok(pipeline);
        }
        let pipeline = self.compile_text(label, wgsl.clone(), bindings)?;
        Ok(lock().entry(wgsl).or_insert(pipeline).clone())
    }

    fn compile(&self, header: &Header) -> Result<Pipeline> {
        let bindings: Vec<_> = (header.bindings().iter())
            .map(|binding| (binding.slot.binding(), binding.read_write))
            .collect();
        self.compile_text(header.kernel.name(), header.wgsl(), &bindings)
    }

    fn compile_text(&self, name: &str, wgsl: String, bindings: &[(u32, bool)]) -> Result<Pipeline> {
        let device = &self.0.device;
        let label = format!("wgnorm {name}");
        let label = Some(label.as_str());
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
        entries.extend(bindings.iter().map(|&(binding, written)| {
            let read_only = !written;
            entry(binding, wgpu::BufferBindingType::Storage { read_only })
        }));
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label,
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(ENTRY_POINT),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every word of workgroup memory is written before it is read.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: self.0.cache.as_ref(),
        });
        device_result(scope)?;
        Ok(Pipeline { pipeline, layout })
    }
}

/// The error that the scope caught, where the backend knows at once (in browsers it does not: there the caller's
/// own error handler sees it).
pub(crate) fn device_result(scope: wgpu::ErrorScopeGuard) -> Result<()> {
    let mut task = std::task::Context::from_waker(Waker::noop());
    match pin!(scope.pop()).poll(&mut task) {
        Poll::Ready(Some(error)) => Err(Error::new(ErrorKind::Device, "device", error.to_string())),
        _ => Ok(()),
    }
}

fn traits_of(device: &wgpu::Device) -> DeviceTraits {
    let (info, limits) = (device.adapter_info(), device.limits());
    let subgroups = device.features().contains(wgpu::Features::SUBGROUP);
    DeviceTraits {
        software: info.device_type == wgpu::DeviceType::Cpu,
        subgroup_size: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
        wide_integers: device.features().contains(wgpu::Features::SHADER_INT64),
        aliased_writes: !cfg!(target_family = "wasm"),
        workgroup_invocations: limits
            .max_compute_invocations_per_workgroup
            .min(limits.max_compute_workgroup_size_x),
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
        binding_size: limits.max_storage_buffer_binding_size,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        storage_alignment: limits.min_storage_buffer_offset_alignment,
    }
}

/// The adapter that `options` ask for, hardware before software. OpenGL is only tried where no other backend has
/// one: looking for it can make drivers write to the terminal.
async fn find_adapter(options: &AdapterOptions) -> Result<wgpu::Adapter> {
    let rank = |adapter: &wgpu::Adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::VirtualGpu => 1,
        wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    };
    let wanted = options.name.as_ref().map(|name| name.to_lowercase());
    let mut found = Vec::new();
    let primary = wgpu::Backends::PRIMARY;
    for backends in [options.backends & primary, options.backends - primary] {
        if backends.is_empty() {
            continue;
        }
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = backends;
        let adapters = wgpu::Instance::new(descriptor).enumerate_adapters(backends).await;
        found.extend(
            adapters
                .iter()
                .map(wgpu::Adapter::get_info)
                .map(|info| format!("{} ({})", info.name, info.backend)),
        );
        let matches = |adapter: &wgpu::Adapter| {
            let name = adapter.get_info().name.to_lowercase();
            wanted.as_ref().is_none_or(|wanted| name.contains(wanted))
        };
        if let Some(adapter) = adapters.into_iter().filter(matches).min_by_key(rank) {
            return Ok(adapter);
        }
    }
    let message = match &options.name {
        Some(name) if found.is_empty() => format!("none is called {name:?}, there is none at all"),
        Some(name) => format!("none is called {name:?}; found: {}", found.join(", ")),
        None => format!(
            "there is none for {:?}; a software one is Mesa's Vulkan driver (Debian: mesa-vulkan-drivers)",
            options.backends
        ),
    };
    Err(Error::new(ErrorKind::Adapter, "adapter", message))
}
