//! Results: bitwise the same from run to run, and whatever the batch where that is asked for; in the layout asked for.

use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::verify::{Case, Expected, Norm, Values, run};
use wgnorm::{
    Affine, BatchNorm, Context, Forward, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, Normalization,
    Plan, RmsNorm, wgpu,
};

use super::common::context;
use super::{batch, case, layer};

/// y of a plan without weight and bias, as bits.
fn forward(plan: &Plan, x: &[f32]) -> Vec<u32> {
    let (input, output) = (upload(context(), "x", x), create(context(), "y", x.len() as u64 * 4));
    let workspace = context().create_workspace(plan.workspace_size());
    let args = Forward::new(&input, &output).workspace(&workspace);
    let mut encoder = context().device().create_command_encoder(&Default::default());
    plan.forward(&mut encoder, &args).unwrap();
    context().queue().submit([encoder.finish()]);
    pollster::block_on(download(context(), &output, 0..x.len())).unwrap()
}

#[test]
fn the_same_bits_every_time() {
    for case in [
        layer(5, 4099),
        batch(&[700, 5], Layout::ChannelsLast),
        batch(&[2, 3, 9000], Layout::ChannelsFirst),
    ] {
        for variant in case.operation().unwrap().candidates(context()).unwrap() {
            let mut first = None;
            for _ in 0..3 {
                let outcome = pollster::block_on(run(context(), &case, Some(variant))).unwrap();
                assert!(outcome.bits_stable, "{} {variant}", case.id);
                let bits: Vec<u32> = outcome.y.iter().map(|y| y.to_bits()).collect();
                assert_eq!(
                    *first.get_or_insert_with(|| bits.clone()),
                    bits,
                    "{} {variant}",
                    case.id
                );
            }
        }
    }
}

#[test]
fn a_sample_does_not_depend_on_the_others() {
    // Each: the plan for a number of samples, and the elements of one sample.
    type Planned = fn(usize, &Context) -> wgnorm::Result<Plan>;
    let operations: [(Planned, usize); 6] = [
        (
            |n, c| {
                LayerNorm::new(&[n, 257])
                    .weight(false)
                    .bias(false)
                    .batch_invariant(true)
                    .plan(c)
            },
            257,
        ),
        (
            |n, c| {
                LayerNorm::new(&[n, 16])
                    .weight(false)
                    .bias(false)
                    .batch_invariant(true)
                    .plan(c)
            },
            16,
        ),
        (
            |n, c| RmsNorm::new(&[n, 5000]).weight(false).batch_invariant(true).plan(c),
            5000,
        ),
        (|n, c| InstanceNorm::new(&[n, 3, 49]).batch_invariant(true).plan(c), 147),
        (
            |n, c| {
                let builder = InstanceNorm::new(&[n, 49, 6]).layout(Layout::ChannelsLast);
                builder.batch_invariant(true).plan(c)
            },
            294,
        ),
        (
            |n, c| {
                GroupNorm::new(&[n, 6, 100], 2)
                    .weight(false)
                    .bias(false)
                    .batch_invariant(true)
                    .plan(c)
            },
            600,
        ),
    ];
    for (i, (plan, elements)) in operations.into_iter().enumerate() {
        let x = Values::FarMean.fill(elements * 300, i as u64);
        let alone = forward(&plan(1, context()).unwrap(), &x[..elements]);
        for samples in [2, 3, 17, 300] {
            let together = forward(&plan(samples, context()).unwrap(), &x[..elements * samples]);
            assert_eq!(alone, together[..elements], "operation {i} with {samples} samples");
        }
    }
}

#[test]
fn one_plan_serves_other_batch_sizes() {
    let planned = LayerNorm::new(&[4, 100])
        .weight(false)
        .bias(false)
        .plan(context())
        .unwrap();
    let x = Values::Normal.fill(900, 1);
    let expected = forward(
        &LayerNorm::new(&[9, 100])
            .weight(false)
            .bias(false)
            .plan(context())
            .unwrap(),
        &x,
    );
    let (input, output) = (upload(context(), "x", &x), create(context(), "y", 3600));
    let workspace = context().create_workspace(planned.workspace_size_at(9).unwrap());
    let args = Forward::new(&input, &output).workspace(&workspace).outer_extent(9);
    let mut encoder = context().device().create_command_encoder(&Default::default());
    planned.forward(&mut encoder, &args).unwrap();
    context().queue().submit([encoder.finish()]);
    let y: Vec<u32> = pollster::block_on(download(context(), &output, 0..900)).unwrap();
    assert_eq!(y, expected);
}

#[test]
fn a_bound_plan_is_recorded_again_and_again_and_in_a_pass_of_the_callers() {
    let plan = RmsNorm::new(&[8, 32]).weight(false).plan(context()).unwrap();
    let x = Values::Normal.fill(256, 2);
    let (input, output) = (upload(context(), "x", &x), create(context(), "y", 1024));
    let workspace = context().create_workspace(plan.workspace_size());
    let bound = plan.bind(&Forward::new(&input, &output).workspace(&workspace)).unwrap();
    let mut encoder = context().device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        bound.record_in(&mut pass);
        bound.record_in(&mut pass);
    }
    context().queue().submit([encoder.finish()]);
    let y: Vec<u32> = pollster::block_on(download(context(), &output, 0..256)).unwrap();
    assert_eq!(y, forward(&plan, &x));
}

#[test]
fn empty_tensors_are_valid() {
    for shape in [[0, 5], [3, 0]] {
        let plan = LayerNorm::new(&shape)
            .weight(false)
            .bias(false)
            .plan(context())
            .unwrap();
        assert_eq!((plan.variant(), plan.dispatches(), plan.workspace_size()), (None, 0, 0));
        assert!(forward(&plan, &[]).is_empty());
    }
    let builder = BatchNorm::new(&[0, 3, 4])
        .weight(false)
        .bias(false)
        .update_running_statistics();
    let plan = builder.plan(context()).unwrap();
    let empty = create(context(), "empty", 0);
    let running = upload(context(), "running", &[1f32, 2.0, 3.0]);
    let mut encoder = context().device().create_command_encoder(&Default::default());
    let args = Forward::new(&empty, &empty).running(&running, &running);
    plan.forward(&mut encoder, &args).unwrap();
    context().queue().submit([encoder.finish()]);
    let after: Vec<f32> = pollster::block_on(download(context(), &running, 0..3)).unwrap();
    assert_eq!(after, [1.0, 2.0, 3.0]);
}

#[test]
fn cases_that_are_refused_expect_nothing() {
    let group = Norm::Group {
        groups: 3,
        affine: Affine::PerChannel,
    };
    let valid = case(group, &[2, 9, 7], Layout::ChannelsFirst);
    let refused = Case {
        shape: vec![2, 10, 7],
        ..valid
    };
    assert!(refused.operation().is_err());
    assert_eq!(refused.expected(), Expected::default());
    assert!(pollster::block_on(run(context(), &refused, None)).is_err());
}

#[test]
fn contexts_and_plans_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Context>();
    shared::<Plan>();
    shared::<wgnorm::Bound>();
    shared::<wgnorm::Error>();
}

/// N×H×W×C in, N×C×H×W out: the numbers of the same layout, in the other order.
#[test]
fn layouts_change_on_the_way() {
    let (n, h, w, c) = (3, 5, 4, 6);
    let shape = [n, h, w, c];
    let x = Values::Normal.fill(n * h * w * c, 3);
    let run = |operation: wgnorm::Result<wgnorm::Operation>| -> Vec<f32> {
        let plan = operation.unwrap().plan(context()).unwrap();
        forward(&plan, &x).into_iter().map(f32::from_bits).collect()
    };
    macro_rules! check {
        ($builder:expr) => {{
            let builder = $builder.layout(Layout::ChannelsLast).weight(false).bias(false);
            let same = run(builder.operation());
            let moved = run(builder.output_layout(Layout::ChannelsFirst).operation());
            for (i, y) in moved.iter().enumerate() {
                let (column, row) = (i % w, i / w % h);
                let (channel, sample) = (i / (w * h) % c, i / (w * h * c));
                let expected = same[((sample * h + row) * w + column) * c + channel];
                assert!((y - expected).abs() <= 2e-6, "{y} instead of {expected} at {i}");
            }
        }};
    }
    check!(BatchNorm::new(&shape));
    check!(InstanceNorm::new(&shape));
    check!(GroupNorm::new(&shape, 3));
    check!(LocalResponseNorm::new(&shape, 3));
}
