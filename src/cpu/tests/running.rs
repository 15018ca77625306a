use super::*;
use crate::{Preset, RunningVariance};

/// Runs with running statistics; y, mean, var after.
fn run_running(operation: &Operation, x: &[f32], mean: &[f32], var: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (mut y, mut mean, mut var) = (vec![f32::NAN; x.len()], mean.to_vec(), var.to_vec());
    let args = Args {
        running_mean: Some(&mut mean),
        running_var: Some(&mut var),
        ..Args::default()
    };
    forward(operation, x, &mut y, args).unwrap();
    (y, mean, var)
}

#[test]
fn running_statistics_are_used() {
    let x = noise(2 * 3 * 5, 1);
    let (mean, var) = (noise(3, 4), [0.5, 1.0, 2.0]);
    for (layout, shape) in [(Layout::ChannelsFirst, [2, 3, 5]), (Layout::ChannelsLast, [2, 5, 3])] {
        let batch = BatchNorm::new(&shape).layout(layout).weight(false).bias(false);
        let instance = InstanceNorm::new(&shape).layout(layout);
        for operation in [
            batch.use_running_statistics().operation().unwrap(),
            instance.use_running_statistics().operation().unwrap(),
        ] {
            let (y, new_mean, new_var) = run_running(&operation, &x, &mean, &var);
            let eps = f64::from(operation.eps);
            let (mean64, var64) = (widen(&mean), widen(&var));
            let expected = reference::with_statistics(&widen(&x), &shape, layout, &mean64, &var64, None, None, eps);
            assert_matches(operation.name, widen(&y), &expected);
            assert_eq!((new_mean, new_var), (mean.clone(), var.to_vec()));
        }
    }
}

#[test]
fn running_statistics_are_updated() {
    let (mean, var) = (noise(3, 4), [0.5, 1.0, 2.0]);
    for (layout, shape) in [(Layout::ChannelsFirst, [4, 3, 5]), (Layout::ChannelsLast, [4, 5, 3])] {
        let x = noise(60, 1);
        for (preset, variance, n) in [
            (Preset::PyTorch, RunningVariance::Unbiased, 20),
            (Preset::Onnx, RunningVariance::Biased, 20),
            (Preset::PyTorch, RunningVariance::Unbiased, 5),
        ] {
            let (eps, is_batch) = (1e-5, n == 20);
            let batch = BatchNorm::new(&shape).layout(layout).preset(preset);
            let instance = InstanceNorm::new(&shape).layout(layout).preset(preset);
            let (operation, output) = if is_batch {
                (
                    batch.weight(false).bias(false).update_running_statistics().operation(),
                    reference::batch_norm(&widen(&x), &shape, layout, None, None, eps),
                )
            } else {
                (
                    instance.update_running_statistics().operation(),
                    reference::instance_norm(&widen(&x), &shape, layout, None, None, eps),
                )
            };
            let operation = operation.unwrap();
            let (y, new_mean, new_var) = run_running(&operation, &x, &mean, &var);
            assert_matches(operation.name, widen(&y), &output.y);
            let batch_var = match variance {
                RunningVariance::Biased => output.var,
                RunningVariance::Unbiased => reference::unbiased_variance(&output.var, n),
            };
            let update = |old: &[f32], new: &[f64]| reference::update_running(&widen(old), new, 0.1);
            assert_matches("running_mean", widen(&new_mean), &update(&mean, &output.mean));
            assert_matches("running_var", widen(&new_var), &update(&var, &batch_var));
        }
    }
    let one = InstanceNorm::new(&[1, 3, 1])
        .one_value(OneValue::Allow)
        .update_running_statistics();
    let (y, _, var) = run_running(&one.operation().unwrap(), &[1.0, 2.0, 3.0], &mean, &var);
    assert!(y == [0.0; 3] && var.iter().all(|var| var.is_nan()));
}
