//! A program that owns its device records an RMS norm between two compute passes of its own, and submits once:
//! `cargo run --example own_device`.

use wgnorm::verify::transfer::download;
use wgnorm::wgpu::{self, util::DeviceExt};
use wgnorm::{Context, Forward, RmsNorm};

const ROWS: usize = 3;
const WIDTH: usize = 5;

/// The program's own kernels: the first doubles every element, the second adds 1.
const OWN_KERNELS: &str = "
@group(0) @binding(0) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64) fn double(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&values)) { values[id.x] *= 2.0; }
}

@compute @workgroup_size(64) fn increment(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&values)) { values[id.x] += 1.0; }
}";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pollster::block_on(async {
        // What an engine has anyway: a device, a queue, a buffer with activations, kernels.
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&Default::default()).await?;
        let (device, queue) = adapter.request_device(&Default::default()).await?;
        let x: Vec<f32> = (0..ROWS * WIDTH).map(|i| i as f32 - 4.0).collect();
        let values = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("activations"),
            contents: bytemuck::cast_slice(&x),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("own kernels"),
            source: wgpu::ShaderSource::Wgsl(OWN_KERNELS.into()),
        });
        let double = OwnKernel::new(&device, &module, "double", &values);
        let increment = OwnKernel::new(&device, &module, "increment", &values);

        // The norm, in place, on the program's device. Planning and binding happen once; recording, every frame.
        let context = Context::new(&device, &queue);
        let plan = RmsNorm::new(&[ROWS, WIDTH]).weight(false).plan(&context)?;
        let workspace = context.create_workspace(plan.workspace_size());
        let norm = plan.bind(&Forward::in_place(&values).workspace(&workspace))?;

        let mut encoder = device.create_command_encoder(&Default::default());
        double.record(&mut encoder);
        norm.record(&mut encoder);
        increment.record(&mut encoder);
        queue.submit([encoder.finish()]);

        let y: Vec<f32> = download(&context, &values, 0..x.len()).await?;
        for (x, y) in x.chunks(WIDTH).zip(y.chunks(WIDTH)) {
            println!("{x:?} -> {y:.4?}");
            let mean_square = x.iter().map(|x| (2.0 * x).powi(2)).sum::<f32>() / WIDTH as f32;
            let expected = x.iter().map(|x| 2.0 * x / (mean_square + f32::EPSILON).sqrt() + 1.0);
            assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-5));
        }
        Ok(())
    })
}

/// A kernel of the program with its buffer.
struct OwnKernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
}

impl OwnKernel {
    fn new(device: &wgpu::Device, module: &wgpu::ShaderModule, entry_point: &str, values: &wgpu::Buffer) -> Self {
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: None,
            module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry_point),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: values.as_entire_binding(),
            }],
        });
        Self { pipeline, bind_group }
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
    }
}
