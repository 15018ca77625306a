//! The CPU path against the oracle, over geometries at the bounds of its chunks and over hostile values.

use super::moments::{CHUNK, COLUMNS, LANES, ROWS, SPAN, SPAN_ROWS};
use super::{Args, Record, forward};
use crate::geometry::MAX_RANK;
use crate::reference::{self, Output};
use crate::spec::{Operation, Stage};
use crate::{
    Affine, BatchNorm, ErrorKind, GroupNorm, InstanceNorm, LayerNorm, Layout, MeanVarianceNorm, Normalization,
    OneValue, Preset, RmsNorm, RunningVariance, ZScore,
};

type Formula = Box<dyn Fn(&[f64], Option<&[f64]>, Option<&[f64]>, f64) -> Output>;

/// An operation and its formula: x, weight, bias, eps to output.
struct Case {
    operation: Operation,
    formula: Formula,
}

/// Uniform in -1..1 by a linear congruential generator (Knuth's MMIX).
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn case(
    builder: impl Normalization,
    formula: impl Fn(&[f64], Option<&[f64]>, Option<&[f64]>, f64) -> Output + 'static,
) -> Case {
    let mut operation = builder.operation().unwrap();
    operation.statistics = true;
    Case {
        operation,
        formula: Box::new(formula),
    }
}

fn layer(shape: &[usize], axis: usize) -> Case {
    let (shape, axes) = (shape.to_vec(), (axis..shape.len()).collect::<Vec<_>>());
    case(LayerNorm::new(&shape).axis(axis as isize), move |x, w, b, eps| {
        reference::layer_norm(x, &shape, &axes, &axes, w, b, eps)
    })
}

fn rms(shape: &[usize], axis: usize) -> Case {
    let (shape, axes) = (shape.to_vec(), (axis..shape.len()).collect::<Vec<_>>());
    case(
        RmsNorm::new(&shape).axis(axis as isize).bias(true),
        move |x, w, b, eps| reference::rms_norm(x, &shape, &axes, &axes, w, b, eps),
    )
}

fn batch(shape: &[usize], layout: Layout) -> Case {
    let shape = shape.to_vec();
    let builder = BatchNorm::new(&shape).layout(layout).one_value(OneValue::Allow);
    case(builder, move |x, w, b, eps| {
        reference::batch_norm(x, &shape, layout, w, b, eps)
    })
}

fn instance(shape: &[usize], layout: Layout) -> Case {
    let shape = shape.to_vec();
    let builder = InstanceNorm::new(&shape).layout(layout).one_value(OneValue::Allow);
    case(builder.weight(true), move |x, w, b, eps| {
        reference::instance_norm(x, &shape, layout, w, b, eps)
    })
}

fn group(shape: &[usize], layout: Layout, groups: usize, affine: Affine) -> Case {
    let shape = shape.to_vec();
    case(
        GroupNorm::new(&shape, groups).layout(layout).affine(affine),
        move |x, w, b, eps| reference::group_norm(x, &shape, layout, groups, affine, w, b, eps),
    )
}

fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len()).filter(|axis| !axes.contains(axis)).collect()
}

fn z_score(shape: &[usize], axes: &'static [usize], ddof: u32) -> Case {
    let shape = shape.to_vec();
    let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    let kept = kept(&shape, axes);
    case(ZScore::new(&shape, &signed).ddof(ddof), move |x, w, b, eps| {
        reference::z_score(x, &shape, axes, ddof, &kept, w, b, eps)
    })
}

fn mean_variance(shape: &[usize], axes: &'static [usize]) -> Case {
    let shape = shape.to_vec();
    let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    let kept = kept(&shape, axes);
    let builder = MeanVarianceNorm::new(&shape, &signed).weight(true).bias(true);
    case(builder, move |x, w, b, eps| {
        reference::mean_variance_norm(x, &shape, axes, &kept, w, b, eps)
    })
}

/// Ordinary geometries: every operation, layout and pattern of axes.
fn cases() -> Vec<Case> {
    use Affine::{PerChannel, PerGroup};
    use Layout::{ChannelsFirst, ChannelsLast};
    let mut cases = vec![
        layer(&[7, 33], 1),
        layer(&[2, 3, 5, 4], 2),
        layer(&[2, 3, 5], 0),
        rms(&[7, 33], 1),
        rms(&[2, 3, 20], 1),
        z_score(&[50, 3], &[0], 1),
        z_score(&[50, 9], &[0], 0),
        z_score(&[2, 3, 4, 5], &[0, 2], 0),
        z_score(&[2, 3, 4, 5], &[1, 3], 0),
        z_score(&[3, 4], &[0, 1], 1),
        z_score(&[3, 4], &[], 0),
        mean_variance(&[2, 3, 4, 5], &[0, 2, 3]),
        mean_variance(&[2, 3, 4, 11], &[0, 1]),
        mean_variance(&[2, 40, 3, 2], &[1, 3]),
    ];
    for layout in [ChannelsFirst, ChannelsLast] {
        for shape in [&[6, 6][..], &[4, 6, 6], &[2, 6, 3, 6], &[2, 6, 2, 3, 6], &[1, 12, 12]] {
            cases.push(batch(shape, layout));
            cases.push(instance(shape, layout));
            cases.push(group(shape, layout, 3, PerChannel));
            cases.push(group(shape, layout, 2, PerGroup));
        }
    }
    cases
}

/// Geometries on either side of each bound of the implementation.
fn boundary_cases() -> Vec<Case> {
    use Layout::{ChannelsFirst, ChannelsLast};
    let mut cases = vec![
        layer(&[2, SPAN + 1], 1),
        layer(&[1, 2 * SPAN], 1),
        layer(&[SPAN + 1, 1], 1),
        rms(&[3, SPAN - 1], 1),
        z_score(&[SPAN_ROWS + 1, LANES], &[0], 0),
        z_score(&[2 * SPAN_ROWS, LANES - 1], &[0], 0),
        z_score(&[ROWS, 3, COLUMNS + 1], &[0], 0),
        batch(&[3, 2, CHUNK + 1], ChannelsFirst),
        batch(&[2, 300, 2, COLUMNS - 1], ChannelsLast),
        batch(&[500, 3, 2], ChannelsFirst),
        group(&[2, 700, 8], ChannelsLast, 4, Affine::PerChannel),
    ];
    for columns in [1, 2, 3, LANES, 17, CHUNK - 1, CHUNK, CHUNK + 1] {
        cases.push(layer(&[5, columns], 1));
    }
    for rows in [1, 2, ROWS - 1, ROWS, ROWS + 1] {
        cases.push(z_score(&[rows, LANES + 1], &[0], 0));
    }
    cases
}

fn run(operation: &Operation, x: &[f32], weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<Record>) {
    let segments: u32 = (operation.axes.iter().filter(|axis| !axis.reduced))
        .map(|axis| axis.extent)
        .product();
    let mut y = vec![f32::NAN; x.len()];
    let mut records = vec![Record::default(); segments as usize];
    let args = Args {
        weight: operation.weight.then_some(weight),
        bias: operation.bias.then_some(bias),
        statistics: operation.statistics.then_some(&mut records),
        ..Args::default()
    };
    forward(operation, x, &mut y, args).unwrap();
    (y, records)
}

/// y in f32 must be the oracle's rounded, but for what f64 loses of a mean far from the values' spread.
#[track_caller]
fn assert_matches(what: &str, actual: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let mut count = 0;
    for (i, (a, &e)) in actual.into_iter().zip(expected).enumerate() {
        count += 1;
        let close = (a - e).abs() <= 2f64.powi(-23) * e.abs() + 1e-8;
        assert!(
            close || !a.is_finite() && !e.is_finite(),
            "{what} {i}: {a:e} is not {e:e}"
        );
    }
    assert_eq!(count, expected.len(), "{what}");
}

fn check(case: &Case, x: &[f32]) {
    let Case { operation, formula } = case;
    let (weight, bias) = (
        noise(operation.weight_len as usize, 2),
        noise(operation.weight_len as usize, 3),
    );
    let (y, records) = run(operation, x, &weight, &bias);
    let (weight, bias) = (widen(&weight), widen(&bias));
    let expected = formula(
        &widen(x),
        operation.weight.then_some(weight.as_slice()),
        operation.bias.then_some(bias.as_slice()),
        f64::from(operation.eps),
    );
    let name = operation.name;
    assert_matches(name, y.iter().copied().map(f64::from), &expected.y);
    for ((record, &mean), &rstd) in records.iter().zip(&expected.mean).zip(&expected.rstd) {
        if rstd.is_finite() {
            assert!(
                (record.rstd() - rstd).abs() <= 2f64.powi(-23) * rstd,
                "{name}: {record:?} is not {rstd:e}"
            );
            // In units of the deviation, as y feels it.
            let error = (record.mean() - mean) * rstd;
            assert!(error.abs() <= 1e-8, "{name}: {record:?} is not {mean:e}");
        } else {
            assert!(!record.rstd().is_finite(), "{name}: {record:?} is not {rstd:e}");
        }
    }
}

fn elements(operation: &Operation) -> usize {
    operation.axes.iter().map(|axis| axis.extent as usize).product()
}

#[test]
fn ordinary_values() {
    for case in cases().iter().chain(&boundary_cases()) {
        check(case, &noise(elements(&case.operation), 1));
    }
}

#[test]
fn without_weight_or_bias() {
    for (weight, bias) in [(false, false), (true, false), (false, true)] {
        for mut case in cases() {
            (case.operation.weight, case.operation.bias) = (weight, bias);
            check(&case, &noise(elements(&case.operation), 1));
        }
    }
}

#[test]
fn hostile_values() {
    type Transform = fn(usize, f32) -> f32;
    let transforms: [(Transform, f32); 9] = [
        (|_, v| 1e6 + v, 1e-5),
        (|i, v| if i == 0 { 1e6 } else { v }, 1e-5),
        (|i, v| if i == 0 { 1e30 } else { v }, 1e-5),
        (|_, v| v * 1e30, 1e-5),
        (|_, v| v * 3.4e38, 0.0),
        (|_, v| v * 1e-30, 0.0),
        (|_, v| v * 1e-42, 0.0),
        (|_, v| v * 1e-30, 1e-5),
        (|i, _| if i % 2 == 0 { 3e38 } else { -3e38 }, 0.0),
    ];
    for mut case in cases().into_iter().chain(boundary_cases()) {
        let ordinary = noise(elements(&case.operation), 1);
        for (transform, eps) in transforms {
            case.operation.eps = eps;
            let x: Vec<f32> = ordinary.iter().enumerate().map(|(i, &v)| transform(i, v)).collect();
            check(&case, &x);
        }
    }
}

#[test]
fn a_constant_gives_exactly_the_bias() {
    for case in cases().iter().chain(&boundary_cases()) {
        let mut operation = case.operation.clone();
        if operation.name == "rms_norm" {
            continue;
        }
        (operation.weight, operation.bias) = (true, true);
        operation.ddof = 0;
        let len = operation.weight_len as usize;
        let (y, _) = run(
            &operation,
            &vec![1234.1; elements(&operation)],
            &noise(len, 2),
            &vec![0.1; len],
        );
        assert!(y.iter().all(|&y| y == 0.1), "{}", operation.name);
    }
}

#[test]
fn special_values_stay_in_their_segment() {
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for case in cases().iter().chain(&boundary_cases()) {
            let mut x = noise(elements(&case.operation), 1);
            let middle = x.len() / 2;
            x[middle] = special;
            check(case, &x);
        }
    }
}

#[test]
fn empty_tensors_write_nothing() {
    let layouts = [Layout::ChannelsFirst, Layout::ChannelsLast];
    for case in layouts.map(|layout| batch(&[0, 3, 3], layout)).iter().chain(&[
        layer(&[0, 4], 1),
        layer(&[4, 0], 1),
        instance(&[2, 3, 0], Layout::ChannelsFirst),
        z_score(&[0, 5], &[0], 1),
    ]) {
        let len = case.operation.weight_len as usize;
        let (y, records) = run(&case.operation, &[], &vec![1.0; len], &vec![0.0; len]);
        assert!(y.is_empty() && records.iter().all(|record| *record == Record::default()));
    }
    let operation = BatchNorm::new(&[0, 2, 3])
        .update_running_statistics()
        .operation()
        .unwrap();
    let (mut mean, mut var) = ([1.0, 2.0], [3.0, 4.0]);
    let args = Args {
        weight: Some(&[1.0; 2]),
        bias: Some(&[0.0; 2]),
        running_mean: Some(&mut mean),
        running_var: Some(&mut var),
        ..Args::default()
    };
    forward(&operation, &[], &mut [], args).unwrap();
    assert_eq!((mean, var), ([1.0, 2.0], [3.0, 4.0]));
}

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

#[test]
fn a_segment_has_the_same_bits_among_any_number() {
    let (many, one) = (layer(&[40, 5000], 1), layer(&[1, 5000], 1));
    let x = noise(200_000, 1);
    let (weight, bias) = (noise(5000, 2), noise(5000, 3));
    let (all, records) = run(&many.operation, &x, &weight, &bias);
    let (row, record) = run(&one.operation, &x[35_000..40_000], &weight, &bias);
    assert_eq!(
        (&all[35_000..40_000], &records[7..8]),
        (row.as_slice(), record.as_slice())
    );
}

#[test]
fn bad_arguments_are_errors_and_write_nothing() {
    let operation = LayerNorm::new(&[2, 3]).operation().unwrap();
    let refused = |operation: &Operation, x: &[f32], y: &mut [f32], args: Args<'_>| {
        let error = forward(operation, x, y, args).unwrap_err();
        (error.kind(), error.argument())
    };
    fn affine<'a>(weight: &'a [f32], bias: &'a [f32]) -> Args<'a> {
        Args {
            weight: Some(weight),
            bias: Some(bias),
            ..Args::default()
        }
    }
    let (x, mut y, three, four) = ([1.0; 6], [7.0; 6], [1.0; 3], [1.0; 4]);
    let whole = affine(&three, &three);
    assert_eq!(refused(&operation, &x[1..], &mut y, whole), (ErrorKind::Size, "x"));
    let whole = affine(&three, &three);
    assert_eq!(refused(&operation, &x, &mut y[1..], whole), (ErrorKind::Size, "y"));
    let long = affine(&four, &three);
    assert_eq!(refused(&operation, &x, &mut y, long), (ErrorKind::Size, "weight"));
    let missing = Args {
        weight: Some(&three),
        ..Args::default()
    };
    assert_eq!(refused(&operation, &x, &mut y, missing), (ErrorKind::Argument, "bias"));
    let mut records = [Record::default(); 2];
    let surplus = Args {
        statistics: Some(&mut records),
        ..affine(&three, &three)
    };
    assert_eq!(
        refused(&operation, &x, &mut y, surplus),
        (ErrorKind::Argument, "statistics")
    );
    let mut staged = operation.clone();
    staged.stage = Stage::Statistics;
    let whole = affine(&three, &three);
    assert_eq!(refused(&staged, &x, &mut y, whole), (ErrorKind::Parameter, "stage"));
    let running = BatchNorm::new(&[2, 3])
        .weight(false)
        .bias(false)
        .use_running_statistics();
    let none = refused(&running.operation().unwrap(), &x, &mut y, Args::default());
    assert_eq!(none, (ErrorKind::Argument, "running_mean"));
    assert_eq!(y, [7.0; 6]);
}

#[test]
fn alternating_axes_of_the_highest_rank() {
    // As many alternating axes as a tensor can have fit the digits.
    let shape = [2; MAX_RANK];
    let case = z_score(&shape, &[0, 2, 4, 6], 0);
    check(&case, &noise(1 << MAX_RANK, 1));
    assert!(ZScore::new(&[2; MAX_RANK + 1], &[0]).operation().is_err());
}
