//! What is compared.

use wgnorm::verify::{Case, Norm, Running};
use wgnorm::{Affine, Layout, Preset};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Layer,
    Rms,
    Batch,
    Group { groups: usize },
    Instance,
}

pub struct Shape {
    pub op: Op,
    /// The backward pass instead: dx, and the gradients of weight and bias.
    pub backward: bool,
    pub extents: &'static [usize],
}

pub fn all() -> Vec<Shape> {
    let in_direction = |op, backward, extents| Shape { op, backward, extents };
    let shape = |op, extents| in_direction(op, false, extents);
    let back = |op, extents| in_direction(op, true, extents);
    vec![
        shape(Op::Layer, &[4096, 1024]),
        shape(Op::Layer, &[512, 8192]),
        shape(Op::Layer, &[65536, 64]),
        shape(Op::Layer, &[131_072, 128]),
        shape(Op::Layer, &[16384, 256]),
        shape(Op::Layer, &[8192, 128]),
        shape(Op::Layer, &[4096, 1023]),
        shape(Op::Layer, &[16, 262_144]),
        shape(Op::Rms, &[4096, 1024]),
        shape(Op::Rms, &[65536, 64]),
        shape(Op::Rms, &[4096, 1023]),
        shape(Op::Batch, &[16, 64, 56, 56]),
        shape(Op::Batch, &[4, 3, 512, 512]),
        shape(Op::Group { groups: 8 }, &[8, 64, 64, 64]),
        shape(Op::Group { groups: 32 }, &[1, 512, 90, 160]),
        shape(Op::Instance, &[8, 64, 64, 64]),
        back(Op::Layer, &[4096, 1024]),
        back(Op::Layer, &[512, 8192]),
        back(Op::Layer, &[65536, 64]),
        back(Op::Rms, &[4096, 1024]),
        back(Op::Batch, &[16, 64, 56, 56]),
        back(Op::Group { groups: 8 }, &[8, 64, 64, 64]),
        back(Op::Group { groups: 32 }, &[1, 512, 90, 160]),
        back(Op::Instance, &[8, 64, 64, 64]),
    ]
}

impl Op {
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer_norm",
            Self::Rms => "rms_norm",
            Self::Batch => "batch_norm",
            Self::Group { .. } => "group_norm",
            Self::Instance => "instance_norm",
        }
    }
}

impl Shape {
    /// The number of weights: of columns or channels.
    pub fn weights(&self) -> usize {
        match self.op {
            Op::Layer | Op::Rms => self.extents[self.extents.len() - 1],
            Op::Batch | Op::Group { .. } | Op::Instance => self.extents[1],
        }
    }

    /// The same normalization on the same numbers for both: eps 1e-5, a weight, and a bias where there usually is one.
    pub fn case(&self) -> Case {
        let running = Running {
            use_running: false,
            update: None,
        };
        let last = vec![self.extents.len() - 1];
        Case {
            id: self.op.name().into(),
            norm: match self.op {
                Op::Layer => Norm::Layer { axes: last },
                Op::Rms => Norm::Rms { axes: last },
                Op::Batch => Norm::Batch(running),
                Op::Group { groups } => Norm::Group {
                    groups,
                    affine: Affine::PerChannel,
                },
                Op::Instance => Norm::Instance(running),
            },
            shape: self.extents.to_vec(),
            layout: Layout::ChannelsFirst,
            preset: Preset::PyTorch,
            eps: Some(1e-5),
            x: numbers(self.extents.iter().product()),
            dy: self
                .backward
                .then(|| numbers(self.extents.iter().product::<usize>() + 1)[1..].to_vec()),
            weight: Some(numbers(self.weights())),
            bias: (self.op != Op::Rms).then(|| numbers(self.weights())),
            running: None,
            weight_axes: None,
            input_strides: None,
            output_strides: None,
        }
    }
}

/// Numbers between -0.5 and 1.5 without an order (a multiplicative hash of their index).
fn numbers(count: usize) -> Vec<f32> {
    let number = |i: usize| {
        let bits = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        bits as f32 / (1 << 23) as f32 - 0.5
    };
    (0..count).map(number).collect()
}
