//! Tensors beyond what one binding or one dimension of workgroups can hold, against the CPU path.

mod common;

use common::context;
use wgnorm::spec::Operation;
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{BatchNorm, Context, DeviceTraits, Forward, LayerNorm, Normalization, RmsNorm, ZScore, cpu};

/// A context with the binding limit that every WebGPU device grants: 128 MiB.
fn default_limits() -> Context {
    context().with_traits(DeviceTraits {
        binding_size: 128 << 20,
        ..*context().traits()
    })
}

/// Cheap, and different in every row and column.
fn values(len: usize) -> Vec<f32> {
    let mix = |i: usize| {
        (i as u32)
            .wrapping_mul(0x9e37_79b9)
            .rotate_left(15)
            .wrapping_mul(0x85eb_ca6b)
    };
    (0..len)
        .map(|i| mix(i) as f32 / u32::MAX as f32 + (i % 7) as f32)
        .collect()
}

/// Runs an operation without weight and bias, in place or not, and compares y with the CPU path's: both are within a few
/// roundings of the reference.
#[track_caller]
fn check(context: &Context, operation: wgnorm::Result<Operation>, in_place: bool) {
    let operation = operation.unwrap();
    let elements = operation.axes.iter().map(|axis| axis.extent as usize).product();
    let x = values(elements);
    let mut expected = vec![0.0; elements];
    cpu::forward(&operation, &x, &mut expected, cpu::Args::default()).unwrap();
    let plan = operation.plan(context).unwrap();
    let workspace = context.create_workspace(plan.workspace_size());
    let input = upload(context, "x", &x);
    drop(x);
    let output = match in_place {
        true => input.clone(),
        false => create(context, "y", elements as u64 * 4),
    };
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.forward(&mut encoder, &Forward::new(&input, &output).workspace(&workspace))
        .unwrap();
    context.queue().submit([encoder.finish()]);
    // A part at a time: readback buffers have a limit too.
    for (i, expected) in expected.chunks(1 << 22).enumerate() {
        let first = i << 22;
        let y: Vec<f32> = pollster::block_on(download(context, &output, first..first + expected.len())).unwrap();
        for (j, (y, expected)) in y.iter().zip(expected).enumerate() {
            let error = (y - expected).abs();
            assert!(
                error <= 4e-6 * expected.abs().max(1.0),
                "{} instead of {expected} at {}",
                y,
                first + j
            );
        }
    }
}

#[test]
fn rows_beyond_a_binding() {
    let rows = LayerNorm::new(&[51_200, 1024]).weight(false).bias(false);
    check(&default_limits(), rows.operation(), false);
}

#[test]
fn in_place_beyond_a_binding() {
    let rows = RmsNorm::new(&[51_300, 1023]).weight(false);
    check(&default_limits(), rows.operation(), true);
}

#[test]
fn channels_beyond_a_binding() {
    let batch = BatchNorm::new(&[50, 256, 64, 64]).weight(false).bias(false);
    check(&default_limits(), batch.operation(), false);
}

#[test]
fn columns_beyond_a_binding() {
    check(&default_limits(), ZScore::new(&[1_600_000, 32], &[0]).operation(), true);
}

#[test]
fn one_segment_beyond_a_binding() {
    let all = LayerNorm::new(&[50, 1 << 20]).axis(0).weight(false).bias(false);
    check(&default_limits(), all.operation(), false);
}

#[test]
fn odd_rows_and_many_of_them() {
    let rows = |shape: &[usize]| LayerNorm::new(shape).weight(false).bias(false).operation();
    check(context(), rows(&[131_072, 1023]), true);
    check(context(), rows(&[70_000, 17]), false);
    check(context(), rows(&[1, 1 << 24]), false);
}
