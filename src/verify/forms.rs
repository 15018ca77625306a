//! The forms that cases take: an operation with a shape and a layout.

use super::case::{Norm, Running, Update};
use crate::{Affine, Layout, Preset, RunningVariance};

/// An operation with a shape and a layout, without values.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub norm: Norm,
    pub shape: Vec<usize>,
    pub layout: Layout,
    pub preset: Preset,
}

impl Form {
    fn new(norm: Norm, shape: &[usize]) -> Self {
        Self {
            norm,
            shape: shape.to_vec(),
            layout: Layout::ChannelsFirst,
            preset: Preset::PyTorch,
        }
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
    Form::new(Norm::Layer { axis }, shape)
}

fn rms(shape: &[usize], axis: usize) -> Form {
    Form::new(Norm::Rms { axis }, shape)
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
    ]
    .into_iter()
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
    ]);
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
