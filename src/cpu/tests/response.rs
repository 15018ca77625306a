use super::super::apply::SPAN;
use super::*;
use crate::Preset;

fn dims(shape: &[usize], channel: usize) -> Dims {
    Dims {
        shape: shape.to_vec(),
        axes: vec![channel],
        weight: vec![channel],
    }
}

/// Windows within the channels and beyond them, tensors of one task and of several.
fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 6] = [
        &[2, 5, 3, 7],
        &[3, 1, 4],
        &[4, 6],
        &[1, 9, SPAN + 1],
        &[SPAN / 16 + 1, 3, 17],
        &[2, 1, 1],
    ];
    let mut cases = Vec::new();
    for shape in shapes {
        for size in [1, 2, 5, 100] {
            for preset in [Preset::PyTorch, Preset::Onnx] {
                let builder = LocalResponseNorm::new(shape, size).preset(preset).alpha(0.5);
                let last = builder.clone().layout(Layout::ChannelsLast);
                cases.push(response_over(dims(shape, 1), builder));
                cases.push(response_over(dims(shape, shape.len() - 1), last));
            }
        }
    }
    cases
}

#[test]
fn windows_of_any_size() {
    for mut case in cases() {
        let x = noise(elements(&case.operation), 1);
        check(&case, &x);
        (case.operation.weight, case.operation.bias) = (false, false);
        check(&case, &x);
    }
}

#[test]
fn by_hand() {
    // Pairs of neighbours, k + sum: 1, 1 + 4, 4 + 9.
    let builder = LocalResponseNorm::new(&[1, 3], 2).alpha(2.0).beta(1.0).k(0.0);
    let mut y = [0.0; 3];
    let x = [1.0, 2.0, -3.0];
    forward(&builder.operation().unwrap(), &x, &mut y, Args::default()).unwrap();
    assert_eq!(y, [1.0, 0.4, -3.0 / 13.0]);
    let onnx = builder.preset(Preset::Onnx);
    forward(&onnx.operation().unwrap(), &x, &mut y, Args::default()).unwrap();
    assert_eq!(y, [0.2, 2.0 / 13.0, -3.0 / 9.0]);
}

#[test]
fn specials_reach_their_window_only() {
    let builder = LocalResponseNorm::new(&[1, 7], 3).beta(0.5);
    let operation = builder.operation().unwrap();
    let respond = |special: f32| {
        let (mut x, mut y) = ([1.0; 7], [f32::NAN; 7]);
        x[3] = special;
        forward(&operation, &x, &mut y, Args::default()).unwrap();
        y
    };
    let nan = respond(f32::NAN).map(f32::is_nan);
    assert_eq!(nan, [false, false, true, true, true, false, false]);
    let infinite = respond(f32::INFINITY);
    assert!(infinite[3].is_nan() && infinite[2] == 0.0 && infinite[4] == 0.0 && infinite[1] > 0.9);
}
