//! A network of dense layers, in buffers, with what computes and trains it recorded once.
//!
//! ```text
//! hidden layer    z = h W,  y = norm(z) * weight + bias,  h' = max(y, 0)    (without norm, y = z + bias)
//! output layer    logits = h W + bias,  loss = softmax cross-entropy
//! ```
//!
//! All parameters lie in one buffer and their gradients, in the same places, in another: W (inputs × outputs), weight
//! and bias of every layer, each from a multiple of [`BLOCK`] on. So one dispatch is a step of gradient descent, and the
//! normalization is bound to ranges of an arena.

use fastrand::Rng;
use wgnorm::verify::transfer::{create, download};
use wgnorm::{Bound, Context, Result, View, wgpu};

use crate::data::normal;
use crate::kernels::{Dispatch, Kernels, Matrix};
use crate::norm::{self, Norm};

/// Elements of 4 bytes in 256 bytes, of which bindings begin at multiples.
const BLOCK: usize = 64;

/// How large a network is.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Values of an input, of every hidden layer, and classes.
    pub widths: Vec<usize>,
    /// Groups of a hidden layer, for group norm.
    pub groups: usize,
    /// Samples in a training step.
    pub batch: usize,
    /// Samples in a test.
    pub test: usize,
}

/// Where the parameters of a layer lie, in elements. Running statistics lie in the same places of their buffer: the mean
/// at `weight`, the variance at `bias`.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    /// True for all but the last.
    pub hidden: bool,
    pub matrix: usize,
    pub weight: usize,
    pub bias: usize,
}

/// The network on a device.
pub struct Network {
    context: Context,
    pub layers: Vec<Layer>,
    /// Elements of parameters, with the gaps.
    len: usize,
    pub parameters: wgpu::Buffer,
    pub gradients: wgpu::Buffer,
    pub running: wgpu::Buffer,
    rate: wgpu::Buffer,
    pub training: Pass,
    pub test: Pass,
}

/// What goes through the network, and the steps that compute it.
pub struct Pass {
    pub input: wgpu::Buffer,
    pub labels: wgpu::Buffer,
    pub logits: wgpu::Buffer,
    /// One a sample.
    pub losses: wgpu::Buffer,
    steps: Vec<Step>,
}

enum Step {
    Own(Dispatch),
    Norm(Bound),
}

impl Pass {
    /// Records the pass: the losses of the input, and in training a step of gradient descent.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for step in &self.steps {
            match step {
                Step::Own(dispatch) => dispatch.record_in(&mut pass),
                Step::Norm(bound) => bound.record_in(&mut pass),
            }
        }
    }
}

impl Network {
    /// A network whose parameters are all 0: see [`reset`](Self::reset).
    pub fn new(context: &Context, shape: &Shape, norm: Norm) -> Result<Self> {
        let (layers, len) = layout(&shape.widths);
        let buffer = |label: &str| create(context, label, len as u64 * 4);
        let build = Build {
            context,
            kernels: &Kernels::new(context),
            norm,
            groups: shape.groups,
            layers: &layers,
            len,
            parameters: &buffer("parameters"),
            gradients: &buffer("gradients"),
            running: &buffer("running statistics"),
            rate: &create(context, "rate", 4),
        };
        Ok(Self {
            training: build.pass(shape.batch, true)?,
            test: build.pass(shape.test, false)?,
            context: context.clone(),
            parameters: build.parameters.clone(),
            gradients: build.gradients.clone(),
            running: build.running.clone(),
            rate: build.rate.clone(),
            len,
            layers,
        })
    }

    /// Sets the learning rate and draws new parameters: W from N(0, 2 / inputs) (He et al. 2015), weights 1, biases 0;
    /// running means 0, running variances 1.
    pub fn reset(&self, rate: f32, rng: &mut Rng) {
        let mut parameters = vec![0.0f32; self.len];
        let mut running = vec![0.0f32; self.len];
        for layer in &self.layers {
            let deviation = (2.0 / layer.inputs as f32).sqrt();
            parameters[layer.matrix..][..layer.inputs * layer.outputs].fill_with(|| deviation * normal(rng));
            parameters[layer.weight..][..layer.outputs].fill(1.0);
            running[layer.bias..][..layer.outputs].fill(1.0);
        }
        let write =
            |buffer, values: &[f32]| (self.context.queue()).write_buffer(buffer, 0, bytemuck::cast_slice(values));
        write(&self.parameters, &parameters);
        write(&self.running, &running);
        write(&self.rate, &[rate]);
    }

    /// All that [`reset`](Self::reset) sets of a buffer, or the gradients.
    pub async fn values(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
        download(&self.context, buffer, 0..self.len).await
    }
}

/// The layers, and the elements that their parameters take.
fn layout(widths: &[usize]) -> (Vec<Layer>, usize) {
    let mut end = 0;
    let mut take = |len: usize| {
        let start = end;
        end = (end + len).next_multiple_of(BLOCK);
        start
    };
    let layers = (widths.windows(2).enumerate())
        .map(|(i, pair)| Layer {
            inputs: pair[0],
            outputs: pair[1],
            hidden: i + 2 < widths.len(),
            matrix: take(pair[0] * pair[1]),
            weight: take(pair[1]),
            bias: take(pair[1]),
        })
        .collect();
    (layers, end)
}

/// What passes are built of.
struct Build<'a> {
    context: &'a Context,
    kernels: &'a Kernels,
    norm: Norm,
    groups: usize,
    layers: &'a [Layer],
    len: usize,
    parameters: &'a wgpu::Buffer,
    gradients: &'a wgpu::Buffer,
    running: &'a wgpu::Buffer,
    rate: &'a wgpu::Buffer,
}

impl Build<'_> {
    fn pass(&self, rows: usize, training: bool) -> Result<Pass> {
        let buffer = |label: &str, columns: usize| create(self.context, label, (rows * columns) as u64 * 4);
        let input = buffer("input", self.layers[0].inputs);
        let (labels, losses) = (buffer("labels", 1), buffer("losses", 1));
        let mut steps = Vec::new();
        let mut backward = Vec::new();
        let mut below: Option<(wgpu::Buffer, wgpu::Buffer)> = None;
        for layer in self.layers {
            let output = buffer("output", layer.outputs);
            let gradient = buffer("gradient", layer.outputs);
            let of = |buffer| Matrix::new(buffer, rows, layer.outputs);
            let from = Matrix::new(below.as_ref().map_or(&input, |below| &below.0), rows, layer.inputs);
            let [matrix, dmatrix] = [self.parameters, self.gradients]
                .map(|buffer| Matrix::at(buffer, layer.matrix, layer.inputs, layer.outputs));

            // Backwards the last step of the first layer comes last: the list is turned round below.
            if let Some((_, gradient_below)) = &below {
                let into = Matrix::new(gradient_below, rows, layer.inputs);
                backward.push(own(self.kernels.multiply(of(&gradient), matrix.transpose(), into)));
            }
            backward.push(own(self.kernels.multiply(from.transpose(), of(&gradient), dmatrix)));
            let product = buffer("product", layer.outputs);
            let normalized = match layer.hidden {
                true => self.normalize(layer, [&product, &output, &gradient], rows, training)?,
                false => None,
            };
            match normalized {
                Some((forward, back)) => {
                    steps.push(own(self.kernels.multiply(from, matrix, of(&product))));
                    steps.push(Step::Norm(forward));
                    backward.extend(back.map(Step::Norm));
                }
                None => {
                    let [bias, dbias] = [self.parameters, self.gradients]
                        .map(|buffer| Matrix::at(buffer, layer.bias, 1, layer.outputs));
                    steps.push(own(self.kernels.multiply(from, matrix, of(&output))));
                    steps.push(own(self.kernels.add_bias(bias, of(&output))));
                    backward.push(own(self.kernels.sum_rows(of(&gradient), dbias)));
                }
            }
            if layer.hidden {
                steps.push(own(self.kernels.rectify(of(&output))));
                backward.push(own(self.kernels.rectify_backward(of(&output), of(&gradient))));
            } else {
                let loss = (self.kernels).cross_entropy(of(&output), &labels, &losses, of(&gradient));
                steps.push(own(loss));
            }
            below = Some((output, gradient));
        }
        if training {
            steps.extend(backward.into_iter().rev());
            let all = |buffer| Matrix::new(buffer, 1, self.len);
            let step = (self.kernels).descend(all(self.parameters), all(self.gradients), self.rate);
            steps.push(own(step));
        }
        let Some((logits, _)) = below else {
            unreachable!("a network has layers");
        };
        Ok(Pass {
            input,
            labels,
            logits,
            losses,
            steps,
        })
    }

    /// The normalization of a layer, and its gradients in training.
    fn normalize(
        &self,
        layer: &Layer,
        [x, y, gradient]: [&wgpu::Buffer; 3],
        rows: usize,
        training: bool,
    ) -> Result<Option<(Bound, Option<Bound>)>> {
        let Some(operation) = self.norm.operation([rows, layer.outputs], self.groups, training)? else {
            return Ok(None);
        };
        let at = |buffer, offset: usize| View::new(buffer).offset(offset as u64);
        let buffers = norm::Buffers {
            x,
            y,
            gradient,
            weight: at(self.parameters, layer.weight),
            bias: at(self.parameters, layer.bias),
            dweight: at(self.gradients, layer.weight),
            dbias: at(self.gradients, layer.bias),
            running_mean: at(self.running, layer.weight),
            running_var: at(self.running, layer.bias),
        };
        norm::bind(self.context, &operation, &buffers).map(Some)
    }
}

fn own(dispatch: Dispatch) -> Step {
    Step::Own(dispatch)
}
