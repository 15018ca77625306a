use super::*;
use crate::ErrorKind;
use crate::spec::{Source, Stage};

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
fn what_no_builder_makes_is_refused() {
    let refused = |operation: &Operation| {
        let error = forward(operation, &[1.0; 6], &mut [7.0; 6], Args::default()).unwrap_err();
        (error.kind(), error.argument())
    };
    let window = LocalResponseNorm::new(&[2, 3], 5).operation().unwrap();
    let mut with_records = window.clone();
    with_records.statistics = true;
    assert_eq!(refused(&with_records), (ErrorKind::Parameter, "statistics"));
    let mut over_both = window.clone();
    (over_both.axes[0].reduced, over_both.axes[0].record) = (true, 0);
    assert_eq!(refused(&over_both), (ErrorKind::Shape, "axes"));
    let norm = LpNorm::new(&[2, 3], &[1]).operation().unwrap();
    for mut given in [window, norm] {
        given.source = Source::Running;
        assert_eq!(refused(&given), (ErrorKind::Parameter, "running"));
    }
}
