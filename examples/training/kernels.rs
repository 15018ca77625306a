//! The example's own kernels (`kernels.wgsl`), with their buffers.

use bytemuck::{Pod, Zeroable};
use wgnorm::Context;
use wgnorm::wgpu::{self, util::DeviceExt};

const WGSL: &str = include_str!("kernels.wgsl");
const WORKGROUP: u32 = 64;

/// A dense row-major matrix in a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    pub buffer: &'a wgpu::Buffer,
    /// Elements before it: a multiple of 64, as bindings need it.
    pub offset: usize,
    pub rows: usize,
    pub columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    pub fn new(buffer: &'a wgpu::Buffer, rows: usize, columns: usize) -> Self {
        Self::at(buffer, 0, rows, columns)
    }

    pub fn at(buffer: &'a wgpu::Buffer, offset: usize, rows: usize, columns: usize) -> Self {
        Self {
            buffer,
            offset,
            rows,
            columns,
            transposed: false,
        }
    }

    /// The transposed matrix, as a factor of a product. Nothing is moved.
    pub fn transpose(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Columns as they lie in memory.
    fn stored_columns(&self) -> u32 {
        (if self.transposed { self.rows } else { self.columns }) as u32
    }
}

/// `Size` of the shader; uniform buffers are of whole 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Size {
    rows: u32,
    columns: u32,
    inner: u32,
    a_columns: u32,
    b_columns: u32,
    padding: [u32; 3],
}

/// The pipelines.
pub struct Kernels {
    device: wgpu::Device,
    /// By which factor is transposed: none, a, b.
    multiply: [wgpu::ComputePipeline; 3],
    add_bias: wgpu::ComputePipeline,
    sum_rows: wgpu::ComputePipeline,
    rectify: wgpu::ComputePipeline,
    rectify_backward: wgpu::ComputePipeline,
    cross_entropy: wgpu::ComputePipeline,
    descend: wgpu::ComputePipeline,
}

/// A kernel with its buffers, to be recorded as often as wanted.
pub struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: u32,
}

impl Dispatch {
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }
}

impl Kernels {
    pub fn new(context: &Context) -> Self {
        let device = context.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("training"),
            source: wgpu::ShaderSource::Wgsl(WGSL.into()),
        });
        let compile = |entry_point, constants: &[(&str, f64)]| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: None,
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    ..Default::default()
                },
                cache: None,
            })
        };
        let pipeline = |entry_point| compile(entry_point, &[]);
        let multiply = |a: bool, b: bool| {
            let constants = [("transpose_a", f64::from(a)), ("transpose_b", f64::from(b))];
            compile("multiply", &constants)
        };
        Self {
            device: device.clone(),
            multiply: [multiply(false, false), multiply(true, false), multiply(false, true)],
            add_bias: pipeline("add_bias"),
            sum_rows: pipeline("sum_rows"),
            rectify: pipeline("rectify"),
            rectify_backward: pipeline("rectify_backward"),
            cross_entropy: pipeline("cross_entropy"),
            descend: pipeline("descend"),
        }
    }

    /// c = a b; the columns and what is summed over are multiples of four.
    pub fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, c: Matrix<'_>) -> Dispatch {
        assert!(a.columns == b.rows && (a.rows, b.columns) == (c.rows, c.columns) && !c.transposed);
        assert!(
            a.columns.is_multiple_of(4) && c.columns.is_multiple_of(4) && (!a.transposed || a.rows.is_multiple_of(4))
        );
        let size = Size {
            inner: a.columns as u32,
            a_columns: a.stored_columns(),
            b_columns: b.stored_columns(),
            ..size_of(c)
        };
        let kernel = match (a.transposed, b.transposed) {
            (false, false) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (true, true) => unreachable!("no gradient needs it"),
        };
        let blocks = c.rows.div_ceil(4) * (c.columns / 4);
        self.dispatch(&self.multiply[kernel], size, blocks, &[(1, a), (2, b), (3, c)])
    }

    /// c += bias, in every row
    pub fn add_bias(&self, bias: Matrix<'_>, c: Matrix<'_>) -> Dispatch {
        self.dispatch(&self.add_bias, size_of(c), c.rows * c.columns, &[(1, bias), (3, c)])
    }

    /// sums = the sum of the rows of a
    pub fn sum_rows(&self, a: Matrix<'_>, sums: Matrix<'_>) -> Dispatch {
        self.dispatch(&self.sum_rows, size_of(a), a.columns, &[(1, a), (3, sums)])
    }

    /// c = max(c, 0)
    pub fn rectify(&self, c: Matrix<'_>) -> Dispatch {
        self.dispatch(&self.rectify, size_of(c), c.rows * c.columns, &[(3, c)])
    }

    /// c = the gradient before `rectify`, of that after it; y is its output
    pub fn rectify_backward(&self, y: Matrix<'_>, c: Matrix<'_>) -> Dispatch {
        self.dispatch(
            &self.rectify_backward,
            size_of(c),
            c.rows * c.columns,
            &[(1, y), (3, c)],
        )
    }

    /// The loss of every row over so many classes, the first columns, and the gradient of their mean.
    pub fn cross_entropy(
        &self,
        logits: Matrix<'_>,
        classes: usize,
        labels: &wgpu::Buffer,
        losses: &wgpu::Buffer,
        gradient: Matrix<'_>,
    ) -> Dispatch {
        let column = |buffer| Matrix::new(buffer, logits.rows, 1);
        let bindings = [(1, logits), (3, gradient), (4, column(labels)), (5, column(losses))];
        let size = Size {
            inner: classes as u32,
            ..size_of(logits)
        };
        self.dispatch(&self.cross_entropy, size, logits.rows, &bindings)
    }

    /// parameters -= rate gradients
    pub fn descend(&self, parameters: Matrix<'_>, gradients: Matrix<'_>, rate: &wgpu::Buffer) -> Dispatch {
        let bindings = [(1, gradients), (2, Matrix::new(rate, 1, 1)), (3, parameters)];
        let elements = parameters.rows * parameters.columns;
        self.dispatch(&self.descend, size_of(parameters), elements, &bindings)
    }

    fn dispatch(
        &self,
        pipeline: &wgpu::ComputePipeline,
        size: Size,
        invocations: usize,
        bindings: &[(u32, Matrix<'_>)],
    ) -> Dispatch {
        let size = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("size"),
            contents: bytemuck::bytes_of(&size),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: size.as_entire_binding(),
        }];
        entries.extend(bindings.iter().map(|&(binding, matrix)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: matrix.buffer,
                offset: matrix.offset as u64 * 4,
                size: wgpu::BufferSize::new((matrix.rows * matrix.columns) as u64 * 4),
            }),
        }));
        Dispatch {
            pipeline: pipeline.clone(),
            bind_group: self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            }),
            workgroups: (invocations as u32).div_ceil(WORKGROUP),
        }
    }
}

/// The size of a matrix, without a product's.
fn size_of(matrix: Matrix<'_>) -> Size {
    Size {
        rows: matrix.rows as u32,
        columns: matrix.columns as u32,
        ..Size::zeroed()
    }
}
