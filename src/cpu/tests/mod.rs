//! The CPU path against the oracle, over geometries at the bounds of its chunks and over hostile values.

mod arguments;
mod geometries;
mod random;
mod response;
mod running;
mod strides;

use fearless_simd::Level;

use super::{Args, Record, forward, forward_with};
use crate::geometry::Axis;
use crate::reference::{self, Output};
use crate::spec::{Operation, Statistic, ZeroNorm};
use crate::{
    Affine, BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, LpNorm, MeanVarianceNorm,
    Normalization, OneValue, RmsNorm, ZScore,
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

/// A shape, the axes that are reduced, and those that index weight and bias.
#[derive(Debug, Clone)]
struct Dims {
    shape: Vec<usize>,
    axes: Vec<usize>,
    weight: Vec<usize>,
}

impl Dims {
    /// The axes from `first` on are reduced and index the weight.
    fn trailing(shape: &[usize], first: usize) -> Self {
        let axes: Vec<_> = (first..shape.len()).collect();
        Self {
            shape: shape.to_vec(),
            weight: axes.clone(),
            axes,
        }
    }

    /// The kept axes index the weight.
    fn weighed_by_kept(shape: &[usize], axes: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
            weight: (0..shape.len()).filter(|axis| !axes.contains(axis)).collect(),
        }
    }

    fn signed(&self) -> [Vec<isize>; 2] {
        [&self.axes, &self.weight].map(|axes| axes.iter().map(|&axis| axis as isize).collect())
    }
}

fn layer_over(d: Dims) -> Case {
    let [axes, weight] = d.signed();
    let builder = LayerNorm::new(&d.shape).axes(&axes).weight_axes(&weight);
    case(builder, move |x, w, b, eps| {
        reference::layer_norm(x, &d.shape, &d.axes, &d.weight, w, b, eps)
    })
}

fn rms_over(d: Dims) -> Case {
    let [axes, weight] = d.signed();
    let builder = RmsNorm::new(&d.shape).axes(&axes).weight_axes(&weight).bias(true);
    case(builder, move |x, w, b, eps| {
        reference::rms_norm(x, &d.shape, &d.axes, &d.weight, w, b, eps)
    })
}

fn z_score_over(d: Dims, ddof: u32) -> Case {
    let [axes, weight] = d.signed();
    let builder = ZScore::new(&d.shape, &axes).ddof(ddof).weight_axes(&weight);
    case(builder, move |x, w, b, eps| {
        reference::z_score(x, &d.shape, &d.axes, ddof, &d.weight, w, b, eps)
    })
}

fn mean_variance_over(d: Dims) -> Case {
    let [axes, weight] = d.signed();
    let builder = MeanVarianceNorm::new(&d.shape, &axes).weight_axes(&weight);
    case(builder.weight(true).bias(true), move |x, w, b, eps| {
        reference::mean_variance_norm(x, &d.shape, &d.axes, &d.weight, w, b, eps)
    })
}

fn lp_over(d: Dims, p: f32, zero: ZeroNorm) -> Case {
    let [axes, weight] = d.signed();
    let builder = LpNorm::new(&d.shape, &axes).p(p).zero_norm(zero).weight_axes(&weight);
    let rule = match zero {
        ZeroNorm::AtLeastEps => reference::ZeroNorm::Floor,
        ZeroNorm::Zero => reference::ZeroNorm::Zero,
    };
    case(builder.weight(true).bias(true), move |x, w, b, eps| {
        reference::lp_normalize(x, &d.shape, &d.axes, f64::from(p), eps, rule, &d.weight, w, b)
    })
}

/// Local response norm as `builder` has it, with a weight over `d.weight`; `d.axes` is the channel axis.
fn response_over(d: Dims, builder: LocalResponseNorm) -> Case {
    let [_, weight] = d.signed();
    let builder = builder.weight_axes(&weight).weight(true).bias(true);
    let Statistic::Window(window) = builder.operation().unwrap().statistic else {
        panic!("not a window");
    };
    let (left, right) = (window.left as usize, window.right as usize);
    let [scale, k, beta] = [window.scale, window.k, window.beta].map(f64::from);
    let mut case = case(builder, move |x, w, b, _| {
        let mut y = reference::local_response_norm(x, &d.shape, d.axes[0], left, right, 1, k, scale, beta);
        for (y, i) in y.iter_mut().zip(weight_indices(&d)) {
            *y = *y * w.map_or(1.0, |w| w[i]) + b.map_or(0.0, |b| b[i]);
        }
        let (mean, var, rstd) = (Vec::new(), Vec::new(), Vec::new());
        Output { y, mean, var, rstd }
    });
    case.operation.statistics = false;
    case
}

/// The index into the weight of every element.
fn weight_indices(d: &Dims) -> Vec<usize> {
    let step = |indices: Vec<usize>, (axis, &extent): (usize, &usize)| {
        let position = |index: usize, i: usize| match d.weight.contains(&axis) {
            true => index * extent + i,
            false => index,
        };
        (indices.into_iter())
            .flat_map(|index| (0..extent).map(move |i| position(index, i)))
            .collect()
    };
    d.shape.iter().enumerate().fold(vec![0], step)
}

fn layer(shape: &[usize], axis: usize) -> Case {
    layer_over(Dims::trailing(shape, axis))
}

fn rms(shape: &[usize], axis: usize) -> Case {
    rms_over(Dims::trailing(shape, axis))
}

fn z_score(shape: &[usize], axes: &[usize], ddof: u32) -> Case {
    z_score_over(Dims::weighed_by_kept(shape, axes), ddof)
}

fn mean_variance(shape: &[usize], axes: &[usize]) -> Case {
    mean_variance_over(Dims::weighed_by_kept(shape, axes))
}

fn lp(shape: &[usize], axes: &[usize], p: f32) -> Case {
    lp_over(Dims::weighed_by_kept(shape, axes), p, ZeroNorm::AtLeastEps)
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

/// Where every element lies, in row-major order of the axes.
fn places(axes: &[Axis], stride: impl Fn(&Axis) -> u32) -> Vec<usize> {
    axes.iter().fold(vec![0], |starts, axis| {
        let (extent, stride) = (axis.extent as usize, stride(axis) as usize);
        let along = |start: usize| (0..extent).map(move |i| start + i * stride);
        starts.into_iter().flat_map(along).collect()
    })
}

/// `values` at their places, [`BETWEEN`] between them.
fn place(values: &[f32], places: &[usize]) -> Vec<f32> {
    let mut memory = vec![BETWEEN; places.iter().max().map_or(0, |last| last + 1)];
    for (&place, &value) in places.iter().zip(values) {
        memory[place] = value;
    }
    memory
}

const BETWEEN: f32 = -7.5e7;

/// The levels of instructions that this processor has.
fn levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![best, Level::baseline()];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    levels.extend(best.as_sse4_2().map(Level::Sse4_2));
    levels
}

/// y and records of an x in row-major order, wherever the operation has its elements.
fn run(operation: &Operation, x: &[f32], weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<Record>) {
    run_at(Level::new(), operation, x, weight, bias)
}

/// As [`run`], on more and fewer threads, which must give the same bits.
fn run_at(level: Level, operation: &Operation, x: &[f32], weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<Record>) {
    let alone = run_on(1, level, operation, x, weight, bias);
    for threads in [2, 30] {
        let shared = run_on(threads, level, operation, x, weight, bias);
        let bits = |(y, records): &(Vec<f32>, Vec<Record>)| {
            let records: &[f32] = bytemuck::cast_slice(records);
            y.iter().chain(records).map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert!(
            bits(&alone) == bits(&shared),
            "{}: {threads} threads give other bits",
            operation.name
        );
    }
    alone
}

fn run_on(
    threads: usize,
    level: Level,
    operation: &Operation,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> (Vec<f32>, Vec<Record>) {
    let kept = operation.axes.iter().filter(|axis| !axis.reduced);
    let segments = kept.map(|axis| axis.extent as usize).product();
    let x = place(x, &places(&operation.axes, |axis| axis.x));
    let y_places = places(&operation.axes, |axis| axis.y);
    let mut y = place(&vec![f32::NAN; y_places.len()], &y_places);
    let mut records = vec![Record::default(); segments];
    let args = Args {
        weight: operation.weight.then_some(weight),
        bias: operation.bias.then_some(bias),
        statistics: operation.statistics.then_some(&mut records),
        ..Args::default()
    };
    forward_with(level, threads, operation, &x, &mut y, args).unwrap();
    let untouched = y.iter().filter(|&&y| y == BETWEEN).count();
    assert_eq!(
        untouched,
        y.len() - y_places.len(),
        "more than the elements was written"
    );
    (y_places.iter().map(|&place| y[place]).collect(), records)
}

/// Half a unit in the last place of 1.
const U: f64 = 1.0 / (1u32 << 24) as f64;

/// Each must be the oracle's, but for an error of its own rounding and of `tolerance`.
#[track_caller]
fn assert_within(tolerance: f64, what: &str, actual: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let mut count = 0;
    for (i, (a, &e)) in actual.into_iter().zip(expected).enumerate() {
        count += 1;
        let close = (a - e).abs() <= 2.0 * U * e.abs() + tolerance;
        let special = a == f64::from(e as f32) || a.is_nan() && e.is_nan();
        assert!(close || special, "{what} {i}: {a:e} is not {e:e}");
    }
    assert_eq!(count, expected.len(), "{what}");
}

/// y of a few ordinary values must be the oracle's, but for a few roundings.
#[track_caller]
fn assert_matches(what: &str, actual: impl IntoIterator<Item = f64>, expected: &[f64]) {
    assert_within(12.0 * U * largest(expected), what, actual, expected);
}

/// The largest magnitude that f32 holds.
fn largest(values: &[f64]) -> f64 {
    let magnitudes = values.iter().map(|value| value.abs());
    magnitudes
        .filter(|&value| value <= f64::from(f32::MAX))
        .fold(0.0, f64::max)
}

/// Compares with the oracle, at every level. Where elements share a place, x is what lies there.
///
/// Errors may be as large as `verify::tolerances` has them, without what it allows WGSL.
#[track_caller]
fn check(case: &Case, x: &[f32]) {
    let Case { operation, formula } = case;
    let x_places = places(&operation.axes, |axis| axis.x);
    let memory = place(x, &x_places);
    let x: Vec<_> = x_places.iter().map(|&place| memory[place]).collect();
    let len = operation.weight_len as usize;
    let (weight, bias) = (noise(len, 2), noise(len, 3));
    let (weight64, bias64) = (widen(&weight), widen(&bias));
    let (weight64, bias64) = (
        operation.weight.then_some(weight64.as_slice()),
        operation.bias.then_some(bias64.as_slice()),
    );
    let eps = f64::from(operation.eps);
    let expected = formula(&widen(&x), weight64, bias64, eps);
    let segments = expected.rstd.len().max(1);
    let rounding = (12.0 + ((x.len() / segments).max(1) as f64).log2()) * U;
    let x_hat = largest(&formula(&widen(&x), None, None, eps).y);
    let tolerance = rounding * (x_hat * weight64.map_or(1.0, largest) + bias64.map_or(0.0, largest)) + 2f64.powi(-149);
    for level in levels() {
        let (y, records) = run_at(level, operation, &x, &weight, &bias);
        let name = format!("{} at {level:?}", operation.name);
        assert_within(tolerance, &name, widen(&y), &expected.y);
        if x.is_empty() {
            continue;
        }
        for ((record, &mean), &rstd) in records.iter().zip(&expected.mean).zip(&expected.rstd) {
            if rstd.is_finite() {
                // Of norms beyond 1e60, which only small powers make, a record has nothing left.
                assert!(
                    (record.rstd() - rstd).abs() <= rounding * rstd + 1e-60,
                    "{name}: {record:?} is not {rstd:e}"
                );
                // In units of the deviation, as y feels it; a record holds 48 bits of the mean, down to subnormals.
                let error = (record.mean() - mean).abs() - mean.abs() * 2f64.powi(-48) - 2f64.powi(-150);
                assert!(error * rstd <= rounding, "{name}: {record:?} is not {mean:e}");
            } else {
                let special = record.rstd() == rstd || record.rstd().is_nan() && rstd.is_nan();
                assert!(special, "{name}: {record:?} is not {rstd:e}");
            }
        }
    }
}

fn elements(operation: &Operation) -> usize {
    operation.axes.iter().map(|axis| axis.extent as usize).product()
}
