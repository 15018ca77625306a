//! The forms that cases take: an operation with a shape and a layout.

use super::case::{Norm, Running, Update};
use crate::{Affine, Layout, Preset, RunningVariance, ZeroNorm};

/// An operation with a shape and a layout, without values.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub norm: Norm,
    pub shape: Vec<usize>,
    pub layout: Layout,
    pub preset: Preset,
    pub weight_axes: Option<Vec<usize>>,
    pub input_strides: Option<Vec<usize>>,
    pub output_strides: Option<Vec<usize>>,
}

impl Form {
    fn new(norm: Norm, shape: &[usize]) -> Self {
        Self {
            norm,
            shape: shape.to_vec(),
            layout: Layout::ChannelsFirst,
            preset: Preset::PyTorch,
            weight_axes: None,
            input_strides: None,
            output_strides: None,
        }
    }

    fn weight_axes(mut self, axes: &[usize]) -> Self {
        self.weight_axes = Some(axes.to_vec());
        self
    }

    fn strides(mut self, x: &[usize], y: &[usize]) -> Self {
        self.input_strides = Some(x.to_vec());
        self.output_strides = Some(y.to_vec());
        self
    }

    fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

fn layer(shape: &[usize], axis: usize) -> Form {
    Form::new(Norm::layer(axis, shape.len()), shape)
}

fn rms(shape: &[usize], axis: usize) -> Form {
    Form::new(Norm::rms(axis, shape.len()), shape)
}

fn batch(shape: &[usize], layout: Layout) -> Form {
    Form::new(Norm::Batch(Running::default()), shape).layout(layout)
}

fn instance(shape: &[usize], layout: Layout) -> Form {
    Form::new(Norm::Instance(Running::default()), shape).layout(layout)
}

fn group(shape: &[usize], layout: Layout, groups: usize, affine: Affine) -> Form {
    Form::new(Norm::Group { groups, affine }, shape).layout(layout)
}

fn z_score(shape: &[usize], axes: &[usize], ddof: u32) -> Form {
    let axes = axes.to_vec();
    Form::new(Norm::ZScore { axes, ddof }, shape)
}

fn mean_variance(shape: &[usize], axes: &[usize]) -> Form {
    Form::new(Norm::MeanVariance { axes: axes.to_vec() }, shape)
}

fn layer_over(shape: &[usize], axes: &[usize]) -> Form {
    Form::new(Norm::Layer { axes: axes.to_vec() }, shape)
}

fn rms_over(shape: &[usize], axes: &[usize]) -> Form {
    Form::new(Norm::Rms { axes: axes.to_vec() }, shape)
}

fn lp(shape: &[usize], axes: &[usize], p: f32) -> Form {
    let norm = |zero| Norm::Lp {
        axes: axes.to_vec(),
        p,
        zero,
    };
    Form::new(norm(ZeroNorm::AtLeastEps), shape)
}

fn lp_or_zero(shape: &[usize], axes: &[usize], p: f32) -> Form {
    let (axes, zero) = (axes.to_vec(), ZeroNorm::Zero);
    Form::new(Norm::Lp { axes, p, zero }, shape).preset(Preset::Onnx)
}

fn local_response(shape: &[usize], layout: Layout, size: usize) -> Form {
    let norm = Norm::LocalResponse {
        size,
        alpha: 0.5,
        beta: 0.75,
        k: 1.0,
    };
    Form::new(norm, shape).layout(layout)
}

const FIRST: Layout = Layout::ChannelsFirst;
const LAST: Layout = Layout::ChannelsLast;

/// Forms small enough to meet every kind of values.
pub(super) fn hostile() -> Vec<Form> {
    vec![
        layer(&[5, 257], 1),
        batch(&[37, 5], LAST),
        layer(&[3, 4099], 1),
        rms(&[5, 257], 1),
        batch(&[3, 5, 85], FIRST),
        instance(&[2, 3, 7, 7], FIRST),
        group(&[2, 49, 6], LAST, 2, Affine::PerChannel),
        z_score(&[100, 67], &[0], 1),
        mean_variance(&[2, 3, 5, 7], &[0, 2, 3]),
        lp(&[5, 257], &[1], 2.0),
        lp(&[67, 9], &[0], 1.0),
        lp(&[4, 33, 5], &[1], f32::INFINITY),
        lp_or_zero(&[5, 129], &[1], 1.5),
        local_response(&[2, 9, 12], FIRST, 5),
        local_response(&[2, 7, 9], LAST, 4),
    ]
}

/// One form or two of every operation and layout.
pub(super) fn ordinary_few() -> Vec<Form> {
    vec![
        layer(&[7, 64], 1),
        layer(&[2, 3, 4, 5], 2),
        layer(&[1, 65_537], 1),
        rms(&[9, 33], 1),
        rms(&[3, 1024], 1),
        batch(&[4, 3, 7, 7], FIRST),
        batch(&[4, 7, 7, 64], LAST),
        batch(&[1, 3, 5000], FIRST),
        instance(&[2, 7, 7, 5], LAST),
        group(&[2, 6, 7, 7], FIRST, 2, Affine::PerChannel),
        group(&[2, 6, 7, 7], FIRST, 3, Affine::PerGroup),
        z_score(&[1000, 4], &[0], 0),
        z_score(&[5, 100], &[1], 1),
        z_score(&[1, 9], &[0], 1),
        mean_variance(&[2, 3, 4, 5], &[0, 2, 3]),
        layer_over(&[2, 64, 7, 4], &[1]),
        rms_over(&[6, 5, 4, 8], &[0, 2]),
        layer_over(&[6, 5, 4, 3], &[1, 3]).weight_axes(&[0, 3]),
        lp(&[6, 100], &[1], 3.0),
        local_response(&[2, 20, 4, 4], FIRST, 5),
    ]
    .into_iter()
    .chain(strided())
    .chain(with_running_statistics())
    .collect()
}

/// Batch and instance norm with running statistics, used and updated in every convention.
pub(super) fn with_running_statistics() -> Vec<Form> {
    let used = Running {
        use_running: true,
        update: None,
    };
    let updated = |momentum, variance| Running {
        use_running: false,
        update: Some(Update { momentum, variance }),
    };
    let pytorch = updated(0.1, None);
    let onnx = updated(0.9, None);
    let unbiased = updated(0.75, Some(RunningVariance::Unbiased));
    let shape = [3, 5, 7, 4];
    vec![
        Form::new(Norm::Batch(used), &shape),
        Form::new(Norm::Instance(used), &shape).layout(LAST),
        Form::new(Norm::Batch(pytorch), &shape),
        Form::new(Norm::Instance(pytorch), &shape),
        Form::new(Norm::Batch(onnx), &shape).layout(LAST).preset(Preset::Onnx),
        Form::new(Norm::Instance(unbiased), &shape)
            .layout(LAST)
            .preset(Preset::Keras),
    ]
}

/// Views of larger tensors, and axes in another order in memory.
pub(super) fn strided() -> Vec<Form> {
    vec![
        // Rows with a pitch, and Q within packed rows of QKV.
        layer(&[7, 64], 1).strides(&[80, 1], &[67, 1]),
        rms(&[3, 5, 48], 2).strides(&[5 * 144, 144, 1], &[5 * 144, 144, 1]),
        // N×C×H×W in a memory of N×H×W×C; to N×H×W×C from N×C×H×W.
        batch(&[4, 16, 3, 5], FIRST).strides(&[240, 1, 80, 16], &[240, 1, 80, 16]),
        batch(&[4, 16, 3, 5], FIRST).strides(&[240, 15, 5, 1], &[240, 1, 80, 16]),
        group(&[2, 12, 5, 3], FIRST, 4, Affine::PerChannel).strides(&[180, 1, 36, 12], &[180, 15, 3, 1]),
        // Channels of a wider tensor.
        instance(&[2, 7, 5, 8], LAST).strides(&[35 * 20, 100, 20, 1], &[35 * 8, 40, 8, 1]),
        // Every other element; a row that is broadcast.
        layer(&[5, 33], 1).strides(&[66, 2], &[33, 1]),
        rms(&[4, 64], 1).strides(&[0, 1], &[64, 1]),
        local_response(&[2, 6, 12], FIRST, 3).strides(&[72, 1, 6], &[90, 15, 1]),
    ]
}

/// All forms but those in [`large`]: lengths at and around the sizes where kernels change, rows that are not
/// aligned, every layout, ranks 2 to 5.
pub(super) fn ordinary() -> Vec<Form> {
    let lengths = (1..=17).chain([63, 64, 65, 255, 256, 257, 1000, 1023, 1024, 1025, 4099]);
    let mut forms: Vec<Form> = lengths.clone().map(|length| layer(&[5, length], 1)).collect();
    forms.extend(lengths.step_by(4).map(|length| rms(&[6, length], 1)));
    forms.extend([
        layer(&[2, 3, 5], 1),
        layer(&[2, 3, 4, 5], 3),
        layer(&[2, 2, 3, 4, 5], 1),
        layer(&[1, 1], 1),
        layer(&[66, 7, 9], 0),
        rms(&[2, 3, 4, 5], 2),
        layer(&[3, 100], 1).preset(Preset::Keras),
        rms(&[3, 100], 1).preset(Preset::Flax),
    ]);
    for channels in [1, 3, 4, 5, 64, 67] {
        forms.push(batch(&[33, channels], LAST));
        forms.push(batch(&[2, channels, 7, 7], FIRST));
        forms.push(batch(&[3, 7, 5, channels], LAST));
        forms.push(instance(&[2, channels, 7, 7], FIRST));
        forms.push(instance(&[2, 7, 7, channels], LAST));
        forms.push(z_score(&[129, channels], &[0], 0));
    }
    for per_group in 1..=5 {
        let channels = 3 * per_group;
        forms.push(group(&[4, channels], FIRST, 3, Affine::PerChannel));
        forms.push(group(&[2, channels, 7, 7], FIRST, 3, Affine::PerChannel));
        forms.push(group(&[2, 7, 7, channels], LAST, 3, Affine::PerChannel));
        forms.push(group(&[2, channels, 11], FIRST, 3, Affine::PerGroup));
    }
    forms.extend([
        batch(&[2, 3, 1, 1], FIRST),
        batch(&[2, 3, 2, 3, 5], FIRST),
        batch(&[2, 2, 3, 5, 3], LAST),
        batch(&[1, 3, 50_000], FIRST),
        batch(&[4, 3, 10], FIRST).preset(Preset::Keras),
        instance(&[2, 3, 1], FIRST),
        instance(&[2, 3, 1000], FIRST),
        group(&[2, 64, 9], FIRST, 1, Affine::PerChannel),
        group(&[2, 9, 64], LAST, 64, Affine::PerChannel),
        z_score(&[5, 100], &[1], 1),
        z_score(&[1, 9], &[0], 1),
        z_score(&[3, 4, 5, 6], &[0, 2], 0),
        z_score(&[3, 4, 5, 6], &[1, 3], 1),
        z_score(&[9, 11, 13], &[0, 1, 2], 0),
        mean_variance(&[2, 3, 4, 5], &[0, 2, 3]),
        mean_variance(&[3, 50], &[1]),
        mean_variance(&[50, 3], &[0]),
        layer_over(&[2, 64, 7, 5], &[1]),
        layer_over(&[3, 40, 16], &[0, 1]),
        rms_over(&[6, 5, 4, 16], &[0, 2]),
        rms_over(&[6, 5, 4, 3], &[1, 3]),
        layer_over(&[2, 3, 2, 3, 2, 3, 2, 3], &[0, 2, 4, 6]),
        layer_over(&[2, 3, 2, 3, 2, 3, 2, 3], &[1, 3, 5, 7]).weight_axes(&[0, 1, 4, 5]),
        layer_over(&[2, 2, 3, 2, 2, 3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7]).weight_axes(&[0, 2, 4, 6]),
        layer(&[6, 5, 8], 1).weight_axes(&[]),
        rms(&[6, 5, 8], 2).weight_axes(&[0]),
        layer_over(&[6, 5, 4, 8], &[1, 3]).weight_axes(&[0, 3]),
        batch(&[3, 4, 5, 6], FIRST).weight_axes(&[1, 3]),
        group(&[2, 6, 5, 4], FIRST, 3, Affine::PerChannel).weight_axes(&[1, 2]),
        z_score(&[3, 4, 5, 6], &[0, 2], 0).weight_axes(&[0, 1, 2, 3]),
        lp_or_zero(&[3, 33, 5], &[1], 2.0),
        lp(&[2, 3, 40, 16], &[0, 2], 2.0),
        local_response(&[1, 1025, 3], FIRST, 6),
        local_response(&[3, 5, 5, 12], LAST, 5).preset(Preset::Onnx),
        local_response(&[2, 8, 5], FIRST, 9),
    ]);
    for p in [0.25, 0.5, 1.0, 1.2, 1.5, 2.0, 3.0, 20.0, 1000.0, f32::INFINITY] {
        for (shape, axes) in [
            (vec![5, 1000], [1]),
            (vec![5, 1024], [1]),
            (vec![65, 4], [0]),
            (vec![6, 3], [1]),
        ] {
            forms.push(lp(&shape, &axes, p));
        }
    }
    forms.extend(strided());
    forms.extend(with_running_statistics());
    forms
}

/// Forms that exceed a limit once: 65,535 workgroups, 2^20 elements in a segment, long loops.
pub(super) fn large() -> Vec<Form> {
    vec![
        layer(&[1, (1 << 20) + 1], 1),
        rms(&[1, (1 << 20) + 1], 1),
        layer(&[70_000, 3], 1),
        batch(&[1, 3, 200_003], FIRST),
        batch(&[70_001, 4], LAST),
        z_score(&[70_001, 3], &[0], 0),
    ]
}
