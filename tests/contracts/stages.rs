//! Statistics, merge and application on their own come to the same as the whole.

use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::verify::{Case, Norm, Outcome, Running, Update, Values, judge};
use wgnorm::{BatchNorm, Forward, Layout, Merge, Moments, OneValue, Record, View, wgpu};

use super::batch;
use super::common::context;

/// Bytes of the moments of 8 channels: parts then begin at multiples of 256 bytes.
const PART: u64 = 8 * size_of::<Moments>() as u64;

fn submit(record: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = context().device().create_command_encoder(&Default::default());
    record(&mut encoder);
    context().queue().submit([encoder.finish()]);
}

/// Batch norm of 6 samples of 8 channels, taken in parts of 1, 2 and 3 samples as three devices would.
fn check(layout: Layout, values: Values) {
    let shape = |samples| match layout {
        Layout::ChannelsFirst => [samples, 8, 37],
        Layout::ChannelsLast => [samples, 37, 8],
    };
    let update = Update {
        momentum: 0.25,
        variance: None,
    };
    let mut case: Case = batch(&shape(6), layout);
    case.x = values.fill(case.x.len(), 11);
    case.running = Some((vec![0.5; 8], vec![2.0; 8]));
    case.norm = Norm::Batch(Running {
        use_running: false,
        update: Some(update),
    });

    let x = upload(context(), "x", &case.x);
    let parts = create(context(), "parts", 3 * PART);
    let mut first = 0;
    for (i, samples) in [1, 2, 3].into_iter().enumerate() {
        let builder = BatchNorm::new(&shape(samples))
            .layout(layout)
            .one_value(OneValue::Allow);
        let plan = builder.plan_statistics(context()).unwrap();
        let workspace = context().create_workspace(plan.workspace_size());
        let input = View::new(&x).offset(first * 8 * 37);
        let args = Forward::take_statistics(input, View::new(&parts).offset(i as u64 * PART / 4)).workspace(&workspace);
        submit(|encoder| plan.forward(encoder, &args).unwrap());
        first += samples as u64;
    }
    let merged = create(context(), "merged", PART);
    let merge = Merge::new(8, 3).plan(context()).unwrap();
    submit(|encoder| merge.bind(&parts, &merged).unwrap().record(encoder));

    // Every device applies the merged moments to its own share.
    let plan = case.operation().unwrap().plan_apply(context()).unwrap();
    let y = create(context(), "y", case.x.len() as u64 * 4);
    let records = create(context(), "records", 8 * size_of::<Record>() as u64);
    let (mean, var) = case.running.as_ref().unwrap();
    let weight = upload(context(), "weight", case.weight.as_ref().unwrap());
    let bias = upload(context(), "bias", case.bias.as_ref().unwrap());
    let workspace = context().create_workspace(plan.workspace_size());
    let running = || (upload(context(), "mean", mean), upload(context(), "var", var));
    let (mut mean, mut var) = running();
    let mut first = 0;
    for samples in [1, 2, 3] {
        (mean, var) = running();
        let args = Forward::new(
            View::new(&x).offset(first * 8 * 37),
            View::new(&y).offset(first * 8 * 37),
        )
        .weight(&weight)
        .bias(&bias)
        .statistics(&records)
        .running(&mean, &var)
        .moments(&merged)
        .workspace(&workspace)
        .outer_extent(samples);
        submit(|encoder| plan.forward(encoder, &args).unwrap());
        first += samples as u64;
    }

    pollster::block_on(async {
        let outcome = Outcome {
            y: download(context(), &y, 0..case.x.len()).await.unwrap(),
            records: download(context(), &records, 0..8).await.unwrap(),
            running_mean: Some(download(context(), &mean, 0..8).await.unwrap()),
            running_var: Some(download(context(), &var, 0..8).await.unwrap()),
            variant: plan.variant(),
            dispatches: plan.dispatches(),
            bits_stable: true,
            stray_writes: 0,
        };
        let verdict = judge(&case, &outcome);
        assert!(verdict.passed(), "{layout:?} {values:?}: {:?}", verdict.failures);
        let moments: Vec<Moments> = download(context(), &merged, 0..8).await.unwrap();
        for (moments, record) in moments.iter().zip(&outcome.records) {
            assert_eq!(moments.count, 6 * 37);
            if moments.mean().is_finite() {
                let rstd = 1.0 / (moments.variance(0) + 1e-5).sqrt();
                assert!((rstd / record.rstd() - 1.0).abs() < 1e-6, "{moments:?} {record:?}");
            }
        }
    });
}

#[test]
fn parts_merge_to_the_whole() {
    for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
        for values in [
            Values::Normal,
            Values::FarMean,
            Values::Constant,
            Values::Alternating,
            Values::OneNan,
        ] {
            check(layout, values);
        }
    }
}
