//! Batch renormalization, forward and backward, against the f64 reference: batch norm with ratio and shift folded into
//! weight and bias.

mod common;

use common::context;
use wgnorm::reference::{self, gradient};
use wgnorm::verify::Values;
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Backward, BatchNorm, ErrorKind, Forward, Gradients, Layout, Normalization, Variant, wgpu};

const CHANNELS: usize = 37;
const EPS: f64 = 1e-3;

/// How the two passes are planned.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Whole,
    /// Statistics and application, sums and application.
    Halves,
    /// dx made of y.
    FromOutput,
}

struct Tensors {
    shape: Vec<usize>,
    layout: Layout,
    x: Vec<f32>,
    dy: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    mean: Vec<f32>,
    var: Vec<f32>,
}

impl Tensors {
    fn new(layout: Layout, values: Values) -> Self {
        let shape = match layout {
            Layout::ChannelsFirst => vec![5, CHANNELS, 12],
            Layout::ChannelsLast => vec![5, 12, CHANNELS],
        };
        let len = 5 * CHANNELS * 12;
        let about = if values == Values::FarMean { 1e6 } else { 0.0 };
        let noise = |seed| Values::Normal.fill(CHANNELS, seed);
        Self {
            shape,
            layout,
            x: values.fill(len, 1),
            dy: Values::Normal.fill(len, 2).into_iter().map(|dy| dy + 0.5).collect(),
            weight: noise(3).into_iter().map(|weight| weight.abs() + 0.5).collect(),
            bias: noise(4),
            // So far from those of the batch that both bounds are met by some channels.
            mean: noise(5).into_iter().map(|mean| about + mean).collect(),
            var: noise(6).into_iter().map(|var| (2.0 * var).exp()).collect(),
        }
    }

    fn norm(&self, (r_max, d_max): (f32, f32)) -> BatchNorm {
        let norm = BatchNorm::new(&self.shape).layout(self.layout).eps(EPS as f32);
        norm.update_running_statistics()
            .momentum(0.1)
            .statistics(true)
            .renormalize(r_max, d_max)
    }
}

/// y, dx, dweight, dbias, running mean and variance.
type Results = [Vec<f64>; 6];

fn expected(tensors: &Tensors, (r_max, d_max): (f32, f32)) -> Results {
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    let [x, dy, weight, bias, mean, var] = [
        &tensors.x,
        &tensors.dy,
        &tensors.weight,
        &tensors.bias,
        &tensors.mean,
        &tensors.var,
    ]
    .map(|v| wide(v));
    let eps = f64::from(EPS as f32);
    let plain = reference::batch_norm(&x, &tensors.shape, tensors.layout, None, None, eps);
    let (mut folded_weight, mut folded_bias, mut ratios, mut shifts) = (vec![], vec![], vec![], vec![]);
    for c in 0..CHANNELS {
        let running = (var[c] + eps).sqrt();
        let ratio = ((plain.var[c] + eps).sqrt() / running).clamp(1.0 / f64::from(r_max), f64::from(r_max));
        let shift = ((plain.mean[c] - mean[c]) / running).clamp(-f64::from(d_max), f64::from(d_max));
        folded_weight.push(weight[c] * ratio);
        folded_bias.push(bias[c] + weight[c] * shift);
        ratios.push(ratio);
        shifts.push(shift);
    }
    let met = |bound: f64, values: &[f64]| values.iter().filter(|value| value.abs() == bound).count();
    assert!(
        r_max == 1.0 || (1..CHANNELS).contains(&(met(f64::from(r_max), &ratios))),
        "{ratios:?}"
    );
    assert!(
        d_max == 0.0 || (1..CHANNELS).contains(&(met(f64::from(d_max), &shifts))),
        "{shifts:?}"
    );
    let folded = (Some(&folded_weight[..]), Some(&folded_bias[..]));
    let y = reference::batch_norm(&x, &tensors.shape, tensors.layout, folded.0, folded.1, eps).y;
    let gradient = gradient::batch_norm(&x, &dy, &tensors.shape, tensors.layout, folded.0, eps);
    let dweight = (0..CHANNELS)
        .map(|c| gradient.dweight[c] * ratios[c] + gradient.dbias[c] * shifts[c])
        .collect();
    let length = x.len() / CHANNELS;
    let rate = f64::from(0.1f32);
    let running_var = reference::unbiased_variance(&plain.var, length);
    [
        y,
        gradient.dx,
        dweight,
        gradient.dbias,
        reference::update_running(&mean, &plain.mean, rate),
        reference::update_running(&var, &running_var, rate),
    ]
}

fn found(tensors: &Tensors, norm: &BatchNorm, way: Way) -> Results {
    let bytes = tensors.x.len() as u64 * 4;
    let per_channel = |bytes: usize| create(context(), "per channel", (CHANNELS * bytes) as u64);
    let [x, dy, weight, bias, mean, var] = [
        &tensors.x,
        &tensors.dy,
        &tensors.weight,
        &tensors.bias,
        &tensors.mean,
        &tensors.var,
    ]
    .map(|values| upload(context(), "values", values));
    let [y, dx] = [create(context(), "y", bytes), create(context(), "dx", bytes)];
    let [records, corrections, sums] = [16; 3].map(per_channel);
    let [dweight, dbias] = [4; 2].map(per_channel);
    let moments = per_channel(32);
    let mut encoder = context().device().create_command_encoder(&Default::default());
    let workspace = |size| context().create_workspace(size);

    let args = (Forward::new(&x, &y).weight(&weight).bias(&bias).running(&mean, &var))
        .statistics(&records)
        .corrections(&corrections);
    let forward = match way {
        Way::Halves => {
            let plan = norm.plan_statistics(context()).unwrap();
            let space = workspace(plan.workspace_size());
            let args = Forward::take_statistics(&x, &moments).workspace(&space);
            plan.forward(&mut encoder, &args).unwrap();
            norm.plan_apply(context()).unwrap()
        }
        _ => norm.plan(context()).unwrap(),
    };
    let space = workspace(forward.workspace_size());
    let args = if way == Way::Halves {
        args.moments(&moments)
    } else {
        args
    };
    forward.forward(&mut encoder, &args.workspace(&space)).unwrap();

    let from_output = way == Way::FromOutput;
    let gradients = Gradients {
        from_output,
        ..Gradients::all()
    };
    let args = if from_output {
        Backward::from_output(&y, &dy).bias(&bias)
    } else {
        Backward::new(&x, &dy)
    };
    let args = args.weight(&weight).statistics(&records);
    match way {
        Way::Halves => {
            let plan = norm.plan_backward_sums(context(), gradients).unwrap();
            let space = workspace(plan.workspace_size());
            let args_of_sums = args.dweight(&dweight).dbias(&dbias).sums(&sums).workspace(&space);
            plan.backward(&mut encoder, &args_of_sums).unwrap();
            let plan = norm.plan_backward_apply(context()).unwrap();
            let space = workspace(plan.workspace_size());
            let args = args.dx(&dx).sums(&sums).corrections(&corrections).workspace(&space);
            plan.backward(&mut encoder, &args).unwrap();
        }
        _ => {
            let plan = norm.plan_backward(context(), gradients).unwrap();
            let space = workspace(plan.workspace_size());
            let args = args
                .dx(&dx)
                .dweight(&dweight)
                .dbias(&dbias)
                .corrections(&corrections)
                .workspace(&space);
            plan.backward(&mut encoder, &args).unwrap();
        }
    }
    context().queue().submit([encoder.finish()]);
    let read = |buffer: &wgpu::Buffer, len: usize| -> Vec<f64> {
        let values: Vec<f32> = pollster::block_on(download(context(), buffer, 0..len)).unwrap();
        values.into_iter().map(f64::from).collect()
    };
    let elements = tensors.x.len();
    [
        read(&y, elements),
        read(&dx, elements),
        read(&dweight, CHANNELS),
        read(&dbias, CHANNELS),
        read(&mean, CHANNELS),
        read(&var, CHANNELS),
    ]
}

#[track_caller]
fn check(tensors: &Tensors, bounds: (f32, f32), way: Way, tolerance: f64) {
    let norm = tensors.norm(bounds);
    let names = ["y", "dx", "dweight", "dbias", "running mean", "running var"];
    let (found, expected) = (found(tensors, &norm, way), expected(tensors, bounds));
    for (name, (found, expected)) in names.into_iter().zip(found.iter().zip(&expected)) {
        let largest = expected.iter().fold(0f64, |most, value| most.max(value.abs()));
        let off = found
            .iter()
            .zip(expected)
            .fold(0f64, |most, (a, b)| most.max((a - b).abs()));
        assert!(
            off <= tolerance * largest,
            "{name} is off by {off} of {largest}: {way:?}, {bounds:?}"
        );
    }
}

#[test]
fn as_the_reference_has_it() {
    for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
        for values in [Values::Normal, Values::FarMean] {
            let tensors = Tensors::new(layout, values);
            for way in [Way::Whole, Way::Halves, Way::FromOutput] {
                check(&tensors, (3.0, 1.0), way, 2e-6);
            }
            // No freedom at all is batch norm.
            check(&tensors, (1.0, 0.0), Way::Whole, 2e-6);
        }
    }
}

#[test]
fn what_cannot_be_renormalized_is_refused() {
    let norm = BatchNorm::new(&[4, 3, 2]);
    let kind = |norm: BatchNorm| norm.operation().unwrap_err().kind();
    let training = norm.clone().update_running_statistics();
    for (r_max, d_max) in [
        (0.5, 1.0),
        (2.0, -1.0),
        (f32::NAN, 1.0),
        (f32::INFINITY, 1.0),
        (2.0, f32::INFINITY),
    ] {
        assert_eq!(kind(training.clone().renormalize(r_max, d_max)), ErrorKind::Parameter);
    }
    assert_eq!(
        kind(norm.clone().renormalize(3.0, 5.0)),
        ErrorKind::Parameter,
        "nothing is updated"
    );
    assert_eq!(
        kind(norm.use_running_statistics().renormalize(3.0, 5.0)),
        ErrorKind::Parameter
    );

    let unsaved = training.renormalize(3.0, 5.0);
    let backward = unsaved.plan_backward(context(), Gradients::all()).unwrap_err();
    assert_eq!(
        (backward.kind(), backward.argument()),
        (ErrorKind::Parameter, "statistics")
    );
    // Statistics and application are two dispatches, with the correction between.
    assert_eq!(
        unsaved
            .clone()
            .variant(Variant::Lane)
            .plan(context())
            .unwrap_err()
            .kind(),
        ErrorKind::Variant
    );
    let plan = unsaved.statistics(true).plan(context()).unwrap();
    assert!(matches!(plan.variant(), Some(Variant::Split | Variant::ColumnSplit)));
    let tensor = create(context(), "tensor", 96);
    let workspace = context().create_workspace(plan.workspace_size());
    let channels: Vec<_> = (0..5).map(|_| create(context(), "channels", 48)).collect();
    let args = (Forward::in_place(&tensor).weight(&channels[0]).bias(&channels[1]))
        .running(&channels[2], &channels[3])
        .statistics(&channels[4])
        .workspace(&workspace);
    assert_eq!(plan.bind(&args).unwrap_err().argument(), "corrections");
}
