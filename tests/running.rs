//! Running statistics over several batches, on the device and on the CPU's threads, against the f64 reference.

mod common;

use common::context;
use wgnorm::reference::{unbiased_variance, update_running};
use wgnorm::spec::Operation;
use wgnorm::verify::Values;
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{BatchNorm, ErrorKind, Forward, InstanceNorm, Normalization, RunningVariance, cpu, wgpu};

const SHAPE: [usize; 3] = [4, 70, 9];
const CHANNELS: usize = SHAPE[1];

/// Running statistics, and how many batches they have seen.
#[derive(Debug, Clone, PartialEq)]
struct Running {
    mean: Vec<f32>,
    var: Vec<f32>,
    batches: Vec<u32>,
}

impl Running {
    fn new() -> Self {
        Self {
            mean: vec![0.0; CHANNELS],
            var: vec![1.0; CHANNELS],
            batches: vec![0; CHANNELS],
        }
    }
}

fn batches() -> Vec<Vec<f32>> {
    let len = SHAPE.iter().product();
    let mut batches: Vec<_> = (0..4u64).map(|seed| Values::Normal.fill(len, seed)).collect();
    batches.push(Values::FarMean.fill(len, 9));
    batches
}

fn on_device(operation: &Operation, batches: &[Vec<f32>], in_stages: bool) -> Running {
    let start = Running::new();
    let [mean, var] = [&start.mean, &start.var].map(|values| upload(context(), "running", values));
    let counts = upload(context(), "batches", &start.batches);
    let y = create(context(), "y", batches[0].len() as u64 * 4);
    let moments = create(context(), "moments", (SHAPE[0] * CHANNELS * 32) as u64);
    let (plan, statistics) = match in_stages {
        false => (operation.plan(context()).unwrap(), None),
        true => (
            operation.plan_apply(context()).unwrap(),
            Some(operation.plan_statistics(context()).unwrap()),
        ),
    };
    let bytes = statistics.as_ref().map_or(0, |plan| plan.workspace_size());
    let workspace = context().create_workspace(plan.workspace_size().max(bytes));
    for batch in batches {
        let x = upload(context(), "x", batch);
        let mut encoder = context().device().create_command_encoder(&Default::default());
        let mut args = Forward::new(&x, &y).running(&mean, &var).workspace(&workspace);
        if operation.running.is_some_and(|update| update.rate.is_none()) {
            args = args.batches(&counts);
        }
        if let Some(statistics) = &statistics {
            let own = Forward::take_statistics(&x, &moments).workspace(&workspace);
            statistics.forward(&mut encoder, &own).unwrap();
            args = args.moments(&moments);
        }
        plan.forward(&mut encoder, &args).unwrap();
        context().queue().submit([encoder.finish()]);
    }
    let floats = |buffer: &wgpu::Buffer| pollster::block_on(download(context(), buffer, 0..CHANNELS)).unwrap();
    Running {
        mean: floats(&mean),
        var: floats(&var),
        batches: pollster::block_on(download(context(), &counts, 0..CHANNELS)).unwrap(),
    }
}

fn on_threads(operation: &Operation, batches: &[Vec<f32>]) -> Running {
    let mut running = Running::new();
    let mut y = vec![0.0; batches[0].len()];
    for batch in batches {
        let counts = operation.running.is_some_and(|update| update.rate.is_none());
        let args = cpu::Args {
            running_mean: Some(&mut running.mean),
            running_var: Some(&mut running.var),
            batches: counts.then_some(&mut running.batches),
            ..cpu::Args::default()
        };
        cpu::forward(operation, batch, &mut y, args).unwrap();
    }
    running
}

/// Mean and variance of every channel by the reference; `per_sample` those of each instance.
fn statistics(batch: &[f32], per_sample: bool) -> [Vec<f64>; 2] {
    let [samples, channels, length] = SHAPE;
    let value = |n: usize, c: usize, i: usize| f64::from(batch[(n * channels + c) * length + i]);
    let groups: Vec<Vec<usize>> = match per_sample {
        true => (0..samples).map(|n| vec![n]).collect(),
        false => vec![(0..samples).collect()],
    };
    let (mut means, mut vars) = (Vec::new(), Vec::new());
    for group in groups {
        for c in 0..channels {
            let all: Vec<f64> = (group.iter().flat_map(|&n| (0..length).map(move |i| value(n, c, i)))).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            means.push(mean);
            vars.push(all.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / all.len() as f64);
        }
    }
    [means, vars]
}

/// `rate` of the batch of a number, from 0 on.
fn by_reference(batches: &[Vec<f32>], per_sample: bool, rate: impl Fn(usize) -> f64) -> [Vec<f64>; 2] {
    let start = Running::new();
    let [mut mean, mut var] =
        [start.mean, start.var].map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
    let length = if per_sample { SHAPE[2] } else { SHAPE[0] * SHAPE[2] };
    for (number, batch) in batches.iter().enumerate() {
        let [means, vars] = statistics(batch, per_sample);
        mean = update_running(&mean, &means, rate(number));
        var = update_running(&var, &unbiased_variance(&vars, length), rate(number));
    }
    [mean, var]
}

#[track_caller]
fn assert_close(found: &Running, [mean, var]: &[Vec<f64>; 2]) {
    for (found, expected) in [(&found.mean, mean), (&found.var, var)] {
        for (a, b) in found.iter().zip(expected) {
            let off = (f64::from(*a) - b).abs();
            assert!(off <= 1e-6 * (1.0 + b.abs()), "{a} instead of {b}");
        }
    }
}

#[test]
fn all_batches_weigh_the_same() {
    let batches = batches();
    for per_sample in [false, true] {
        let operation = match per_sample {
            false => cumulative(BatchNorm::new(&SHAPE)),
            true => cumulative_instance(InstanceNorm::new(&SHAPE)),
        };
        let expected = by_reference(&batches, per_sample, |number| 1.0 / (number + 1) as f64);
        let device = on_device(&operation, &batches, false);
        assert_close(&device, &expected);
        assert_eq!(device.batches, [batches.len() as u32; CHANNELS]);
        assert_close(&on_device(&operation, &batches, true), &expected);
        let threads = on_threads(&operation, &batches);
        assert_close(&threads, &expected);
        assert_eq!(threads.batches, device.batches);
    }
}

fn cumulative(norm: BatchNorm) -> Operation {
    let norm = norm.weight(false).bias(false).update_running_statistics();
    norm.cumulative_average(true).operation().unwrap()
}

fn cumulative_instance(norm: InstanceNorm) -> Operation {
    let norm = norm.weight(false).bias(false).update_running_statistics();
    norm.cumulative_average(true).operation().unwrap()
}

#[test]
fn what_is_not_finite_leaves_a_channel_as_it_was() {
    let mut batches = batches();
    let lost = |c: usize| c * SHAPE[2] + 4;
    // Channels of the second batch: 3 has a NaN, 5 an infinity, and the variance of 7 is beyond f32.
    batches[1][lost(3)] = f32::NAN;
    batches[1][lost(5)] = f32::INFINITY;
    batches[1][lost(7)] = 3e38;
    let lost = [3, 5, 7];
    let kept: Vec<_> = [0, 2, 3, 4].map(|number| batches[number].clone()).into();
    for cumulative in [false, true] {
        let norm = |skip| {
            let norm = BatchNorm::new(&SHAPE).weight(false).bias(false).momentum(0.25);
            let norm = norm.update_running_statistics().skip_non_finite(skip);
            norm.cumulative_average(cumulative).operation().unwrap()
        };
        let rate = |number: usize| if cumulative { 1.0 / (number + 1) as f64 } else { 0.25 };
        let (all, without) = (by_reference(&batches, false, rate), by_reference(&kept, false, rate));
        let choose = |i: usize| -> Vec<f64> {
            let channel = |c| if lost.contains(&c) { without[i][c] } else { all[i][c] };
            (0..CHANNELS).map(channel).collect()
        };
        let expected = [choose(0), choose(1)];
        for found in [
            on_device(&norm(true), &batches, false),
            on_device(&norm(true), &batches, true),
            on_threads(&norm(true), &batches),
        ] {
            assert_close(&found, &expected);
            let count = |c| batches.len() as u32 - u32::from(lost.contains(&c));
            let counts: Vec<_> = (0..CHANNELS).map(|c| if cumulative { count(c) } else { 0 }).collect();
            assert_eq!(found.batches, counts);
        }
        // Not asked for, they are lost, as in the frameworks.
        for found in [
            on_device(&norm(false), &batches, false),
            on_threads(&norm(false), &batches),
        ] {
            assert!(found.mean[3].is_nan() && found.var[3].is_nan() && !found.var[7].is_finite());
            assert!(found.mean[4].is_finite());
        }
    }
}

/// A single value has no unbiased variance: with `skip_non_finite` it leaves none.
#[test]
fn a_single_value_is_skipped_too() {
    let norm = BatchNorm::new(&[1, CHANNELS])
        .weight(false)
        .bias(false)
        .update_running_statistics();
    let norm = norm
        .one_value(wgnorm::OneValue::Allow)
        .running_variance(RunningVariance::Unbiased);
    let operation = norm.skip_non_finite(true).operation().unwrap();
    let x = vec![vec![7.0; CHANNELS]];
    assert_eq!(on_device(&operation, &x, false), Running::new());
    assert_eq!(on_threads(&operation, &x), Running::new());
}

#[test]
fn counters_are_checked() {
    let plan = cumulative(BatchNorm::new(&SHAPE)).plan(context()).unwrap();
    let tensor = create(context(), "tensor", (SHAPE.iter().product::<usize>() * 4) as u64);
    let [mean, var, counts] = [(); 3].map(|()| create(context(), "channels", CHANNELS as u64 * 4));
    let few = create(context(), "few", CHANNELS as u64 * 4 - 4);
    let workspace = context().create_workspace(plan.workspace_size());
    let args = Forward::in_place(&tensor).running(&mean, &var).workspace(&workspace);
    let kind = |args: &Forward<'_>| plan.bind(args).unwrap_err().kind();
    assert_eq!(kind(&args), ErrorKind::Argument);
    assert_eq!(kind(&args.batches(&few)), ErrorKind::Size);
    assert_eq!(kind(&args.batches(&mean)), ErrorKind::Overlap);
    assert!(plan.bind(&args.batches(&counts)).is_ok());
    let plain = BatchNorm::new(&SHAPE)
        .weight(false)
        .bias(false)
        .update_running_statistics();
    let plain = plain.plan(context()).unwrap();
    let workspace = context().create_workspace(plain.workspace_size());
    let args = args.workspace(&workspace).batches(&counts);
    assert_eq!(plain.bind(&args).unwrap_err().kind(), ErrorKind::Argument);
}
