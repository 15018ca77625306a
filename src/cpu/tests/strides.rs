use super::super::view::SPAN;
use super::*;
use crate::ErrorKind;

#[test]
fn the_other_layout_by_hand() {
    // Two channels of three values each, interleaved in y.
    let builder = InstanceNorm::new(&[1, 2, 3])
        .output_layout(Layout::ChannelsLast)
        .eps(0.0);
    let mut y = [0.0; 6];
    let x = [-1.0, 0.0, 1.0, 8.0, 4.0, 0.0];
    forward(&builder.operation().unwrap(), &x, &mut y, Args::default()).unwrap();
    let one = 1.5f32.sqrt();
    assert_eq!(y, [-one, one, 0.0, 0.0, one, -one]);
}

#[test]
fn a_part_of_every_row_by_hand() {
    let builder = LayerNorm::new(&[2, 2]).eps(0.0).weight(false).bias(false);
    let operation = builder
        .input_strides(&[3, 1])
        .output_strides(&[1, 2])
        .operation()
        .unwrap();
    let mut y = [0.5; 6];
    forward(&operation, &[1.0, 3.0, 99.0, 9.0, 7.0], &mut y, Args::default()).unwrap();
    assert_eq!(y, [-1.0, 1.0, 1.0, -1.0, 0.5, 0.5]);
}

#[test]
fn every_output_layout() {
    use Layout::{ChannelsFirst, ChannelsLast};
    for (layout, output) in [(ChannelsFirst, ChannelsLast), (ChannelsLast, ChannelsFirst)] {
        for shape in [&[2, 6, 3, 4][..], &[3, 4, 6], &[1, 6, 1, 6], &[2, 6, SPAN, 6]] {
            let like = [
                BatchNorm::new(shape).layout(layout).output_layout(output).operation(),
                InstanceNorm::new(shape)
                    .layout(layout)
                    .output_layout(output)
                    .operation(),
                GroupNorm::new(shape, 2)
                    .layout(layout)
                    .output_layout(output)
                    .operation(),
            ];
            let cases = [
                batch(shape, layout),
                instance(shape, layout),
                group(shape, layout, 2, Affine::PerChannel),
            ];
            for (mut case, operation) in cases.into_iter().zip(like) {
                case.operation.axes = operation.unwrap().axes;
                check(&case, &noise(elements(&case.operation), 1));
            }
        }
    }
}

#[test]
fn copies_of_one_task_and_of_many() {
    // Extents, and strides of x and of y.
    type Strides = ([usize; 3], [usize; 3], [usize; 3]);
    let cases: [Strides; 6] = [
        ([3, 2, SPAN + 1], [0, 0, 2], [3 * SPAN, SPAN + 3, 1]),
        ([1, 1, 3 * SPAN], [1, 1, 2], [1, 1, 3]),
        ([2, SPAN + 1, 3], [1, 2, 2 * SPAN + 5], [1, 6, 2]),
        ([SPAN + 1, 2, 2], [4, 1, 2], [1, SPAN + 1, 4 * SPAN]),
        ([5, 7, 9], [63, 1, 7], [1, 5, 35]),
        ([2, 3, 4], [0, 0, 0], [12, 4, 1]),
    ];
    for (shape, x, y) in cases {
        let strided = LayerNorm::new(&shape).input_strides(&x).output_strides(&y).operation();
        let mut case = layer(&shape, 2);
        case.operation.axes = strided.unwrap().axes;
        check(&case, &noise(elements(&case.operation), 1));
    }
}

#[test]
fn slices_may_be_longer_but_not_shorter() {
    let builder = LayerNorm::new(&[2, 2]).weight(false).bias(false);
    let operation = builder
        .input_strides(&[4, 1])
        .output_strides(&[3, 2])
        .operation()
        .unwrap();
    let forward = |x: usize, y: usize| {
        let result = forward(&operation, &vec![1.0; x], &mut vec![0.0; y], Args::default());
        result.map_err(|error| (error.kind(), error.argument()))
    };
    assert_eq!(forward(6, 6), Ok(()));
    assert_eq!(forward(100, 101), Ok(()));
    assert_eq!(forward(5, 6), Err((ErrorKind::Size, "x")));
    assert_eq!(forward(6, 5), Err((ErrorKind::Size, "y")));
}

#[test]
fn empty_tensors_with_strides_write_nothing() {
    let operation = RmsNorm::new(&[2, 0])
        .weight(false)
        .input_strides(&[5, 1])
        .output_strides(&[7, 0]);
    let mut y = [3.0; 4];
    forward(&operation.operation().unwrap(), &[1.0; 9], &mut y, Args::default()).unwrap();
    assert_eq!(y, [3.0; 4]);
}

#[test]
fn a_y_that_overlaps_itself_is_refused() {
    let builder = LayerNorm::new(&[2, 3]).weight(false).bias(false);
    let mut operation = builder.operation().unwrap();
    for stride in [0, 2] {
        operation.axes[0].y = stride;
        let error = forward(&operation, &[1.0; 6], &mut [0.0; 6], Args::default()).unwrap_err();
        assert_eq!((error.kind(), error.argument()), (ErrorKind::Shape, "axes"));
    }
}
