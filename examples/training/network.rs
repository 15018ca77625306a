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
use wgnorm::verify::transfer::create;
use wgnorm::{Bound, Context, Result, View, wgpu};

use crate::data::normal;
use crate::kernels::{Dispatch, Kernels, Matrix};
use crate::norm::{self, Norm};

/// Elements of 4 bytes in 256 bytes, of which bindings begin at multiples.
const BLOCK: usize = 64;

/// How large a network is.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Values of an input and of every hidden layer, each a multiple of four.
    pub widths: Vec<usize>,
    /// Classes; there are as many outputs, filled up to a multiple of four.
    pub classes: usize,
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
    pub len: usize,
    pub parameters: wgpu::Buffer,
    #[cfg(test)]
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
    /// A row a sample.
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
        let (layers, len) = layout(shape);
        let buffer = |label: &str| create(context, label, len as u64 * 4);
        let build = Build {
            context,
            kernels: &Kernels::new(context),
            norm,
            groups: shape.groups,
            classes: shape.classes,
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
            #[cfg(test)]
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
}

/// The layers, and the elements that their parameters take.
fn layout(shape: &Shape) -> (Vec<Layer>, usize) {
    let mut widths = shape.widths.clone();
    widths.push(shape.classes.next_multiple_of(4));
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
    classes: usize,
    layers: &'a [Layer],
    len: usize,
    parameters: &'a wgpu::Buffer,
    gradients: &'a wgpu::Buffer,
    running: &'a wgpu::Buffer,
    rate: &'a wgpu::Buffer,
}

/// What a layer computes at a number of rows.
struct Activations {
    /// h W, where a normalization follows.
    product: wgpu::Buffer,
    output: wgpu::Buffer,
    /// The gradient of the output, then of what comes before it, up to that of the product.
    gradient: wgpu::Buffer,
}

impl Build<'_> {
    fn pass(&self, rows: usize, training: bool) -> Result<Pass> {
        let buffer = |label: &str, columns: usize| create(self.context, label, (rows * columns) as u64 * 4);
        let input = buffer("input", self.layers[0].inputs);
        let (labels, losses) = (buffer("labels", 1), buffer("losses", 1));
        let activations: Vec<_> = (self.layers.iter())
            .map(|layer| Activations {
                product: buffer("product", layer.outputs),
                output: buffer("output", layer.outputs),
                gradient: buffer("gradient", layer.outputs),
            })
            .collect();
        let (mut steps, mut norms_backward) = (Vec::new(), Vec::new());
        let mut from = &input;
        for (layer, here) in self.layers.iter().zip(&activations) {
            norms_backward.push(self.forward(layer, from, here, rows, training, &mut steps)?);
            from = &here.output;
        }
        let (last, Some(top)) = (self.layers.len() - 1, activations.last()) else {
            unreachable!("a network has layers");
        };
        let of = |buffer| Matrix::new(buffer, rows, self.layers[last].outputs);
        let (logits, gradient) = (of(&top.output), of(&top.gradient));
        let loss = (self.kernels).cross_entropy(logits, self.classes, &labels, &losses, gradient);
        steps.push(Step::Own(loss));
        if training {
            for (i, norm) in norms_backward.into_iter().enumerate().rev() {
                let below = i.checked_sub(1).map(|below| &activations[below]);
                let from = below.map_or((&input, None), |below| (&below.output, Some(&below.gradient)));
                self.backward(&self.layers[i], from, &activations[i], norm, rows, &mut steps);
            }
            let all = |buffer| Matrix::new(buffer, 1, self.len);
            let step = (self.kernels).descend(all(self.parameters), all(self.gradients), self.rate);
            steps.push(Step::Own(step));
        }
        Ok(Pass {
            input,
            labels,
            logits: top.output.clone(),
            losses,
            steps,
        })
    }

    /// The forward pass of a layer. Returns the backward pass of its norm, if it has one.
    fn forward(
        &self,
        layer: &Layer,
        from: &wgpu::Buffer,
        here: &Activations,
        rows: usize,
        training: bool,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Bound>> {
        let of = |buffer| Matrix::new(buffer, rows, layer.outputs);
        let from = Matrix::new(from, rows, layer.inputs);
        let matrix = Matrix::at(self.parameters, layer.matrix, layer.inputs, layer.outputs);
        let norm = match layer.hidden {
            true => self.norm.operation([rows, layer.outputs], self.groups, training)?,
            false => None,
        };
        let mut norm_backward = None;
        if let Some(operation) = norm {
            let (forward, backward) = norm::bind(self.context, &operation, &self.norm_buffers(layer, here))?;
            steps.push(Step::Own(self.kernels.multiply(from, matrix, of(&here.product))));
            steps.push(Step::Norm(forward));
            norm_backward = backward;
        } else {
            let bias = Matrix::at(self.parameters, layer.bias, 1, layer.outputs);
            steps.push(Step::Own(self.kernels.multiply(from, matrix, of(&here.output))));
            steps.push(Step::Own(self.kernels.add_bias(bias, of(&here.output))));
        }
        if layer.hidden {
            steps.push(Step::Own(self.kernels.rectify(of(&here.output))));
        }
        Ok(norm_backward)
    }

    /// The backward pass of a layer, from the gradient of its output to those of its parameters and of its input, where
    /// that is another layer's output.
    fn backward(
        &self,
        layer: &Layer,
        (from, gradient_from): (&wgpu::Buffer, Option<&wgpu::Buffer>),
        here: &Activations,
        norm: Option<Bound>,
        rows: usize,
        steps: &mut Vec<Step>,
    ) {
        let of = |buffer| Matrix::new(buffer, rows, layer.outputs);
        let input = |buffer| Matrix::new(buffer, rows, layer.inputs);
        let matrix = |buffer| Matrix::at(buffer, layer.matrix, layer.inputs, layer.outputs);
        let gradient = of(&here.gradient);
        if layer.hidden {
            steps.push(Step::Own(self.kernels.rectify_backward(of(&here.output), gradient)));
        }
        steps.push(match norm {
            Some(bound) => Step::Norm(bound),
            None => {
                let dbias = Matrix::at(self.gradients, layer.bias, 1, layer.outputs);
                Step::Own(self.kernels.sum_rows(gradient, dbias))
            }
        });
        let dmatrix = matrix(self.gradients);
        steps.push(Step::Own(self.kernels.multiply(
            input(from).transpose(),
            gradient,
            dmatrix,
        )));
        if let Some(gradient_from) = gradient_from {
            let transposed = matrix(self.parameters).transpose();
            steps.push(Step::Own(self.kernels.multiply(
                gradient,
                transposed,
                input(gradient_from),
            )));
        }
    }

    fn norm_buffers<'a>(&'a self, layer: &Layer, here: &'a Activations) -> norm::Buffers<'a> {
        let at = |buffer, offset: usize| View::new(buffer).offset(offset as u64);
        norm::Buffers {
            x: &here.product,
            y: &here.output,
            gradient: &here.gradient,
            weight: at(self.parameters, layer.weight),
            bias: at(self.parameters, layer.bias),
            dweight: at(self.gradients, layer.weight),
            dbias: at(self.gradients, layer.bias),
            running_mean: at(self.running, layer.weight),
            running_var: at(self.running, layer.bias),
        }
    }
}
