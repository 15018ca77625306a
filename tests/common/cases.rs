//! Cases with ordinary values, for tests that choose the shapes.

use wgnorm::verify::{Case, Norm, Running};
use wgnorm::{Layout, Preset};

/// A case with deterministic values, weight and bias.
pub fn case(norm: Norm, shape: &[usize], layout: Layout) -> Case {
    let elements: usize = shape.iter().product();
    let x = wgnorm::verify::Values::Normal.fill(elements, 7);
    let mut case = Case {
        id: format!("{norm:?} {shape:?} {layout:?}"),
        norm,
        shape: shape.to_vec(),
        layout,
        preset: Preset::PyTorch,
        eps: None,
        x,
        dy: None,
        weight: None,
        bias: None,
        running: None,
        weight_axes: None,
        input_strides: None,
        output_strides: None,
    };
    let length = case.operation().unwrap().weight_len as usize;
    case.weight = Some((0..length).map(|i| 0.5 + (i % 7) as f32).collect());
    case.bias = Some((0..length).map(|i| (i % 5) as f32 - 2.0).collect());
    case
}

/// A layer norm of rows of a table.
pub fn layer(rows: usize, width: usize) -> Case {
    case(Norm::layer(1, 2), &[rows, width], Layout::ChannelsFirst)
}

/// A batch norm by batch statistics.
pub fn batch(shape: &[usize], layout: Layout) -> Case {
    case(Norm::Batch(Running::default()), shape, layout)
}
