//! The backward pass against the oracle, over all forms of cases, hostile values and random geometries.

use fastrand::Rng;
use fearless_simd::Level;

use super::{BackwardArgs, Gradients, Record, backward, backward_with};
use crate::cpu::tests::levels;
use crate::error::ErrorKind;
use crate::geometry::{self, Axis};
use crate::spec::{Operation, ZeroNorm};
use crate::verify::{Case, GradientOutcome, Norm, Scale, Values, gradient_cases, judge_gradients};
use crate::{LayerNorm, Layout, Normalization, Preset, RmsNorm};

/// How a case is run.
#[derive(Clone, Copy)]
struct Way {
    level: Level,
    threads: usize,
    /// With the records of the forward pass.
    saved: bool,
    gradients: Gradients,
}

/// Where every element lies, in row-major order of the axes.
fn places(operation: &Operation, stride: impl Fn(&Axis) -> u32) -> Vec<usize> {
    operation.axes.iter().fold(vec![0], |starts, axis| {
        let stride = stride(axis) as usize;
        let along = |start: usize| (0..axis.extent as usize).map(move |i| start + i * stride);
        starts.into_iter().flat_map(along).collect()
    })
}

fn laid_out(values: &[f32], places: &[usize]) -> Vec<f32> {
    let mut memory = vec![f32::NAN; places.iter().max().map_or(0, |last| last + 1)];
    for (&place, &value) in places.iter().zip(values) {
        memory[place] = value;
    }
    memory
}

fn run(case: &Case, way: Way) -> GradientOutcome {
    let operation = case.operation().unwrap();
    let (x_places, y_places) = (places(&operation, |axis| axis.x), places(&operation, |axis| axis.y));
    let x = laid_out(&case.x, &x_places);
    let dy = laid_out(case.dy.as_ref().unwrap(), &y_places);
    let expected = case.expected();
    let records: Option<Vec<Record>> = match (expected.mean, expected.rstd) {
        (Some(mean), Some(rstd)) if way.saved => Some(
            mean.iter()
                .zip(rstd)
                .map(|(&mean, rstd)| Record::new(mean, rstd))
                .collect(),
        ),
        _ => None,
    };
    let (mean, var) = case.running.as_ref().map(|(mean, var)| (&mean[..], &var[..])).unzip();
    let given = case.norm.uses_running();
    let len = operation.weight_len as usize;
    let mut dx = vec![7.0; geometry::span(&operation.axes, |axis| axis.x) as usize];
    let (mut dweight, mut dbias) = (vec![7.0; len], vec![7.0; len]);
    let args = BackwardArgs {
        weight: case.weight.as_deref().filter(|_| way.gradients.dx),
        running_mean: mean.filter(|_| given),
        running_var: var.filter(|_| given),
        statistics: records.as_deref(),
        dx: way.gradients.dx.then_some(&mut dx[..]),
        dweight: way.gradients.dweight.then_some(&mut dweight[..]),
        dbias: way.gradients.dbias.then_some(&mut dbias[..]),
    };
    backward_with(way.level, way.threads, &operation, way.gradients, &x, &dy, args).unwrap();
    GradientOutcome {
        dx: way
            .gradients
            .dx
            .then(|| x_places.iter().map(|&place| dx[place]).collect()),
        dweight: way.gradients.dweight.then_some(dweight),
        dbias: way.gradients.dbias.then_some(dbias),
        dispatches: 1,
        bits_stable: true,
        ..GradientOutcome::default()
    }
}

fn bits(outcome: &GradientOutcome) -> Vec<Option<Vec<u32>>> {
    [&outcome.dx, &outcome.dweight, &outcome.dbias]
        .map(|values| Some(values.as_ref()?.iter().map(|value| value.to_bits()).collect()))
        .to_vec()
}

/// Runs a case in several ways, which must agree.
#[track_caller]
fn check(case: &Case) {
    let gradients = case.gradients();
    let levels = levels();
    for (i, level) in [levels[0], levels[levels.len() - 1]].into_iter().enumerate() {
        let way = Way {
            level,
            threads: 1,
            saved: i % 2 == 1,
            gradients,
        };
        let outcome = run(case, way);
        let verdict = judge_gradients(case, &outcome);
        assert!(verdict.passed(), "{}: {}", case.id, verdict.failures.join("; "));
        assert_eq!(
            bits(&outcome),
            bits(&run(case, Way { threads: 3, ..way })),
            "{}",
            case.id
        );
    }
    // Fewer gradients are the same gradients.
    let way = Way {
        level: Level::new(),
        threads: 1,
        saved: false,
        gradients,
    };
    let all = bits(&run(case, way));
    for asked in [[true, false, false], [false, true, true], [false, false, true]] {
        let fewer = Gradients {
            dx: asked[0],
            dweight: asked[1] && gradients.dweight,
            dbias: asked[2] && gradients.dbias,
            accumulate: false,
            from_output: false,
        };
        if !(fewer.dx || fewer.dweight || fewer.dbias) {
            continue;
        }
        let some = run(
            case,
            Way {
                gradients: fewer,
                ..way
            },
        );
        let same = |i: usize| bits(&some)[i].as_ref().is_none_or(|some| Some(some) == all[i].as_ref());
        assert!(same(0), "{}: {asked:?}", case.id);
        // Without dx nothing is asked of g, which may have been the reason to go on in f64.
        if !(same(1) && same(2)) {
            let verdict = judge_gradients(case, &some);
            assert!(verdict.passed(), "{}: {}", case.id, verdict.failures.join("; "));
        }
    }
}

#[test]
fn all_forms() {
    for case in gradient_cases(Scale::Quick) {
        check(&case);
    }
}

fn subset(rng: &mut Rng, rank: usize) -> Vec<usize> {
    (0..rank).filter(|_| rng.bool()).collect()
}

fn random_case(rng: &mut Rng, number: u64) -> Case {
    const EXTENTS: [usize; 8] = [1, 2, 3, 4, 8, 17, 70, 300];
    let mut room = 20_000;
    let mut shape = Vec::new();
    for _ in 0..rng.usize(1..6) {
        let fitting: Vec<_> = EXTENTS.into_iter().filter(|&extent| extent <= room).collect();
        let extent = *rng.choice(&fitting).unwrap();
        room /= extent;
        shape.push(extent);
    }
    rng.shuffle(&mut shape);
    let axes = subset(rng, shape.len());
    let p = *rng.choice(&[0.5, 1.0, 1.5, 2.0, 2.0, 3.0, f32::INFINITY]).unwrap();
    let zero = *rng.choice(&[ZeroNorm::AtLeastEps, ZeroNorm::Zero]).unwrap();
    let norm = match rng.u8(0..6) {
        0 | 1 => Norm::Layer { axes },
        2 => Norm::Rms { axes },
        3 => Norm::ZScore {
            axes,
            ddof: rng.u32(0..2),
        },
        4 => Norm::MeanVariance { axes },
        _ => Norm::Lp { axes, p, zero },
    };
    let elements = shape.iter().product();
    let values = Values::ALL[number as usize % Values::ALL.len()];
    let mut case = Case {
        id: String::new(),
        norm,
        weight_axes: Some(subset(rng, shape.len())),
        shape,
        layout: Layout::ChannelsFirst,
        preset: Preset::PyTorch,
        eps: None,
        x: values.fill(elements, number),
        dy: None,
        weight: None,
        bias: None,
        running: None,
        input_strides: None,
        output_strides: None,
    };
    let len = case.operation().unwrap().weight_len as usize;
    case.weight = rng.bool().then(|| Values::Normal.fill(len, number));
    case.bias = rng.bool().then(|| Values::Normal.fill(len, number));
    case.id = format!(
        "{number}: {:?} {:?} of {:?}, {values:?}",
        case.norm, case.weight_axes, case.shape
    );
    case.with_dy(number)
}

#[test]
fn random_geometries() {
    let mut rng = Rng::with_seed(5);
    for number in 0..700 {
        check(&random_case(&mut rng, number));
    }
}

#[test]
fn dx_does_not_depend_on_the_other_samples() {
    for (width, step) in [(33, 1), (1000, 1), (40_000, 1)] {
        let rows = 20;
        let x = Values::Normal.fill(rows * width, 1);
        let dy = Values::Normal.fill(rows * width, 2);
        let weight = Values::Normal.fill(width, 3);
        let dx = |rows: usize| {
            let operation = LayerNorm::new(&[rows, width]).operation().unwrap();
            let mut dx = vec![0.0; rows * width];
            let args = BackwardArgs {
                weight: Some(&weight),
                dx: Some(&mut dx),
                ..BackwardArgs::default()
            };
            let gradients = Gradients {
                dweight: false,
                dbias: false,
                ..Gradients::all()
            };
            let len = rows * width;
            backward(&operation, gradients, &x[..len], &dy[..len], args).unwrap();
            dx
        };
        let all = dx(rows);
        for few in (1..rows).step_by(step) {
            assert_eq!(dx(few), all[..few * width]);
        }
    }
}

#[test]
fn parameters_accumulate() {
    let operation = LayerNorm::new(&[2, 2]).eps(0.0).operation().unwrap();
    let (mut dweight, mut dbias) = ([1.0, 2.0], [3.0, 4.0]);
    let args = BackwardArgs {
        dweight: Some(&mut dweight),
        dbias: Some(&mut dbias),
        ..BackwardArgs::default()
    };
    let gradients = Gradients {
        dx: false,
        accumulate: true,
        ..Gradients::all()
    };
    backward(
        &operation,
        gradients,
        &[0.0, 2.0, 4.0, 0.0],
        &[1.0, 2.0, 3.0, 4.0],
        args,
    )
    .unwrap();
    // x_hat is -1 1, 1 -1.
    assert_eq!(
        (dweight, dbias),
        ([1.0 - 1.0 + 3.0, 2.0 + 2.0 - 4.0], [3.0 + 4.0, 4.0 + 6.0])
    );
}

#[test]
fn empty_tensors_have_no_gradient() {
    let operation = LayerNorm::new(&[0, 3]).operation().unwrap();
    for accumulate in [false, true] {
        let (mut dweight, mut dbias) = ([5.0; 3], [5.0; 3]);
        let args = BackwardArgs {
            weight: Some(&[1.0; 3]),
            dx: Some(&mut []),
            dweight: Some(&mut dweight),
            dbias: Some(&mut dbias),
            ..BackwardArgs::default()
        };
        let gradients = Gradients {
            accumulate,
            ..Gradients::all()
        };
        backward(&operation, gradients, &[], &[], args).unwrap();
        let left = if accumulate { 5.0 } else { 0.0 };
        assert_eq!((dweight, dbias), ([left; 3], [left; 3]));
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let operation = RmsNorm::new(&[2, 3]).operation().unwrap();
    let all = Gradients::of(&operation);
    fn refused(gradients: Gradients, x: &[f32], dy: &[f32], args: BackwardArgs<'_>) -> (ErrorKind, &'static str) {
        let operation = RmsNorm::new(&[2, 3]).operation().unwrap();
        let error = backward(&operation, gradients, x, dy, args).unwrap_err();
        (error.kind(), error.argument())
    }
    let (x, w) = ([1.0; 6], [1.0; 3]);
    let mut outputs = [[0.0f32; 6]; 2];
    let [dx, dweight] = &mut outputs;
    macro_rules! args {
        ($($field:ident: $value:expr),*) => {
            BackwardArgs {
                weight: Some(&w),
                dx: Some(&mut dx[..]),
                dweight: Some(&mut dweight[..3]),
                $($field: $value,)*
                ..BackwardArgs::default()
            }
        };
    }
    assert!(backward(&operation, all, &x, &x, args!()).is_ok());
    assert_eq!(refused(all, &x[1..], &x, args!()), (ErrorKind::Size, "x"));
    assert_eq!(refused(all, &x, &x[1..], args!()), (ErrorKind::Size, "dy"));
    let mut short = [0.0; 5];
    let with = BackwardArgs {
        dx: Some(&mut short),
        weight: Some(&w),
        ..BackwardArgs::default()
    };
    assert_eq!(refused(all, &x, &x, with), (ErrorKind::Size, "dx"));
    let without = BackwardArgs {
        weight: Some(&w),
        ..BackwardArgs::default()
    };
    assert_eq!(refused(all, &x, &x, without), (ErrorKind::Argument, "dx"));
    let records = [Record::default(); 3];
    assert_eq!(
        refused(all, &x, &x, args!(statistics: Some(&records))),
        (ErrorKind::Size, "statistics")
    );
    assert_eq!(
        refused(all, &x, &x, args!(running_mean: Some(&w))),
        (ErrorKind::Argument, "running_mean")
    );
    assert_eq!(
        refused(Gradients::all(), &x, &x, args!()),
        (ErrorKind::Parameter, "dbias")
    );
    let nothing = Gradients {
        dx: false,
        dweight: false,
        ..all
    };
    assert_eq!(
        refused(nothing, &x, &x, BackwardArgs::default()).0,
        ErrorKind::Parameter
    );
    let broadcast = RmsNorm::new(&[2, 3]).input_strides(&[0, 1]).operation().unwrap();
    let error = backward(&broadcast, all, &x[..3], &x, args!()).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Shape, "dx"));
}

#[test]
fn given_statistics_leave_dx_finite_beside_an_infinite_x() {
    let operation = crate::BatchNorm::new(&[2, 1])
        .use_running_statistics()
        .operation()
        .unwrap();
    let (mut dx, mut dbias) = ([0.0; 2], [0.0]);
    let args = BackwardArgs {
        weight: Some(&[2.0]),
        running_mean: Some(&[0.0]),
        running_var: Some(&[1.0]),
        dx: Some(&mut dx),
        dbias: Some(&mut dbias),
        ..BackwardArgs::default()
    };
    let gradients = Gradients {
        dweight: false,
        ..Gradients::all()
    };
    backward(&operation, gradients, &[f32::INFINITY, 1.0], &[1.0, 3.0], args).unwrap();
    assert!(dx.iter().all(|dx| dx.is_finite()) && dbias == [4.0]);
}
