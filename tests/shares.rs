//! A batch in shares, as several devices or micro-batches have it: statistics, the sum over the shares, application,
//! forward and backward, against the batch as a whole.

mod common;

use common::context;
use wgnorm::spec::Operation;
use wgnorm::verify::Values;
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{
    Backward, BatchNorm, ErrorKind, Forward, GradientSums, Gradients, LayerNorm, Layout, LocalResponseNorm, LpNorm,
    MeanVarianceNorm, Merge, Normalization, OneValue, Record, RmsNorm, View, ZScore, wgpu,
};

/// Samples of each share; together they are the batch.
const SHARES: [usize; 4] = [3, 1, 4, 2];

fn run(record: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = context().device().create_command_encoder(&Default::default());
    record(&mut encoder);
    context().queue().submit([encoder.finish()]);
}

fn read<T: bytemuck::Pod>(buffer: &wgpu::Buffer, len: usize) -> Vec<T> {
    pollster::block_on(download(context(), buffer, 0..len)).unwrap()
}

/// What an operation makes of a batch.
struct Results {
    y: Vec<f32>,
    dx: Vec<f32>,
    dweight: Vec<f32>,
    dbias: Vec<f32>,
}

struct Batch {
    x: Vec<f32>,
    dy: Vec<f32>,
    weight: wgpu::Buffer,
    bias: wgpu::Buffer,
    /// Elements of a sample, weights, segments.
    sample: usize,
    weights: usize,
    segments: usize,
}

impl Batch {
    fn new(whole: &Operation, values: Values) -> Self {
        let len: usize = whole.axes.iter().map(|axis| axis.extent as usize).product();
        let samples: usize = SHARES.iter().sum();
        let weights = whole.weight_len as usize;
        let kept = whole.axes.iter().filter(|axis| !axis.reduced);
        Self {
            x: values.fill(len, 1),
            dy: Values::Normal.fill(len, 2),
            weight: upload(context(), "weight", &Values::Normal.fill(weights, 3)),
            bias: upload(context(), "bias", &Values::Normal.fill(weights, 4)),
            sample: len / samples,
            weights,
            segments: kept.map(|axis| axis.extent as usize).product(),
        }
    }

    fn forward<'a>(&'a self, operation: &Operation, x: &'a wgpu::Buffer, y: &'a wgpu::Buffer) -> Forward<'a> {
        let mut args = Forward::new(x, y);
        args.weight = operation.weight.then(|| (&self.weight).into());
        args.bias = operation.bias.then(|| (&self.bias).into());
        args
    }

    fn whole(&self, operation: &Operation) -> Results {
        let [x, dy] = [&self.x, &self.dy].map(|values| upload(context(), "values", values));
        let [y, dx] = [self.x.len(); 2].map(|len| create(context(), "outputs", len as u64 * 4));
        let [dweight, dbias] = [self.weights; 2].map(|len| create(context(), "gradients", len as u64 * 4));
        let records = create(context(), "records", self.segments as u64 * 16);
        let plan = operation.plan(context()).unwrap();
        let back = operation.plan_backward(context(), Gradients::of(operation)).unwrap();
        let workspace = context().create_workspace(plan.workspace_size().max(back.workspace_size()));
        let args = self
            .forward(operation, &x, &y)
            .statistics(&records)
            .workspace(&workspace);
        let mut gradients = Backward::new(&x, &dy)
            .dx(&dx)
            .statistics(&records)
            .workspace(&workspace);
        gradients.weight = args.weight;
        gradients.dweight = operation.weight.then(|| (&dweight).into());
        gradients.dbias = operation.bias.then(|| (&dbias).into());
        run(|encoder| {
            plan.forward(encoder, &args).unwrap();
            back.backward(encoder, &gradients).unwrap();
        });
        Results {
            y: read(&y, self.x.len()),
            dx: read(&dx, self.x.len()),
            dweight: read(&dweight, if operation.weight { self.weights } else { 0 }),
            dbias: read(&dbias, if operation.bias { self.weights } else { 0 }),
        }
    }

    /// The same in shares; the sums are added on the device, or (`reduce`) by the host.
    fn in_shares(&self, operation: &dyn Fn(usize) -> Operation, merge: &Merge, reduce: bool) -> Results {
        let mut moments = Vec::new();
        let mut first = 0;
        let shares = SHARES.map(|samples| {
            let range = first * self.sample..(first + samples) * self.sample;
            first += samples;
            let upload = |values: &[f32]| upload(context(), "values", &values[range.clone()]);
            (samples, upload(&self.x), upload(&self.dy), range.len())
        });
        for (samples, x, _, _) in &shares {
            let plan = operation(*samples).plan_statistics(context()).unwrap();
            let workspace = context().create_workspace(plan.workspace_size());
            let own = create(context(), "moments", self.segments as u64 * 32);
            run(|encoder| {
                let args = Forward::new(x, x).moments(&own).workspace(&workspace);
                plan.forward(encoder, &args).unwrap();
            });
            moments.extend(read::<u32>(&own, self.segments * 8));
        }
        let all = upload(context(), "moments", &moments);
        let merged = create(context(), "merged", self.segments as u64 * 32);
        run(|encoder| {
            merge
                .plan(context())
                .unwrap()
                .bind(&all, &merged)
                .unwrap()
                .record(encoder)
        });

        let records = create(context(), "records", (self.segments * size_of::<Record>()) as u64);
        let sums_bytes = (self.segments * size_of::<GradientSums>()) as u64;
        let sums = create(context(), "sums", sums_bytes);
        let [dweight, dbias] = [self.weights; 2].map(|len| create(context(), "gradients", len as u64 * 4));
        let mut y = Vec::new();
        let mut of_shares = vec![GradientSums::default(); self.segments];
        for (number, (samples, x, dy, len)) in shares.iter().enumerate() {
            let operation = operation(*samples);
            let apply = operation.plan_apply(context()).unwrap();
            // Weights are those of all shares.
            let gradients = Gradients {
                accumulate: number > 0,
                ..Gradients::of(&operation)
            };
            let back = operation.plan_backward_sums(context(), gradients).unwrap();
            let workspace = context().create_workspace(apply.workspace_size().max(back.workspace_size()));
            let output = create(context(), "y", *len as u64 * 4);
            let args = (self.forward(&operation, x, &output).moments(&merged))
                .statistics(&records)
                .workspace(&workspace);
            let own = create(context(), "sums", sums_bytes);
            let target = if reduce { &own } else { &sums };
            let mut halves = Backward::new(x, dy)
                .statistics(&records)
                .sums(target)
                .workspace(&workspace);
            halves.weight = args.weight;
            halves.dweight = operation.weight.then(|| (&dweight).into());
            halves.dbias = operation.bias.then(|| (&dbias).into());
            run(|encoder| {
                apply.forward(encoder, &args).unwrap();
                back.backward(encoder, &halves).unwrap();
            });
            y.extend(read::<f32>(&output, *len));
            let own: Vec<GradientSums> = read(&own, self.segments);
            of_shares = of_shares.into_iter().zip(own).map(|(a, b)| a + b).collect();
        }
        let sums = if reduce {
            upload(context(), "sums", &of_shares)
        } else {
            sums
        };
        let counts: Vec<GradientSums> = read(&sums, self.segments);
        let length = (self.x.len() / self.segments) as u64;
        assert!(counts.iter().all(|sums| sums.count() == length), "{counts:?}");

        let mut dx = Vec::new();
        for (samples, x, dy, len) in &shares {
            let operation = operation(*samples);
            let plan = operation.plan_backward_apply(context()).unwrap();
            let workspace = context().create_workspace(plan.workspace_size());
            let output = create(context(), "dx", *len as u64 * 4);
            let mut args = (Backward::new(x, dy).dx(&output).statistics(&records))
                .sums(&sums)
                .workspace(&workspace);
            args.weight = operation.weight.then(|| (&self.weight).into());
            run(|encoder| plan.backward(encoder, &args).unwrap());
            dx.extend(read::<f32>(&output, *len));
        }
        Results {
            y,
            dx,
            dweight: read(&dweight, if operation(1).weight { self.weights } else { 0 }),
            dbias: read(&dbias, if operation(1).bias { self.weights } else { 0 }),
        }
    }
}

/// Both within a few ULP of the largest value.
#[track_caller]
fn assert_close(name: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{name}");
    let largest = b.iter().fold(0.0f32, |most, b| most.max(b.abs()));
    let off = a.iter().zip(b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(
        off <= 4.0 * f32::EPSILON * largest,
        "{name} is off by {off} of {largest}"
    );
    assert!(a.iter().all(|a| a.is_finite()), "{name}");
}

#[track_caller]
fn check(operation: impl Fn(usize) -> wgnorm::Result<Operation>, merge: impl Fn(Merge) -> Merge) {
    let operation = |samples: usize| operation(samples).unwrap();
    let whole = operation(SHARES.iter().sum());
    for values in [Values::Normal, Values::FarMean] {
        let batch = Batch::new(&whole, values);
        let expected = batch.whole(&whole);
        let merge = merge(Merge::new(batch.segments, SHARES.len()));
        for reduce in [false, true] {
            let found = batch.in_shares(&operation, &merge, reduce);
            let name = whole.name;
            assert_close(&format!("y of {name}"), &found.y, &expected.y);
            assert_close(&format!("dx of {name}"), &found.dx, &expected.dx);
            assert_close(&format!("dweight of {name}"), &found.dweight, &expected.dweight);
            assert_close(&format!("dbias of {name}"), &found.dbias, &expected.dbias);
        }
    }
}

#[test]
fn batch_norm_is_that_of_the_whole_batch() {
    for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
        check(
            |n| {
                BatchNorm::new(&[n, 6, 5, 8])
                    .layout(layout)
                    .statistics(true)
                    .operation()
            },
            |merge| merge,
        );
    }
    // A share may have a single value of a channel.
    let plain = |n: usize| {
        BatchNorm::new(&[n, 1025])
            .weight(false)
            .bias(false)
            .one_value(OneValue::Allow)
    };
    check(|n| plain(n).statistics(true).operation(), |merge| merge);
}

#[test]
fn so_are_the_others() {
    check(
        |n| {
            ZScore::new(&[n, 7, 5], &[0])
                .ddof(1)
                .weight(true)
                .statistics(true)
                .operation()
        },
        |merge| merge,
    );
    // Weights that differ within a segment.
    check(
        |n| {
            LayerNorm::new(&[n, 3, 64])
                .axes(&[0, 2])
                .weight_axes(&[2])
                .statistics(true)
                .operation()
        },
        |merge| merge,
    );
    check(
        |n| MeanVarianceNorm::new(&[n, 3, 9], &[0, 2]).statistics(true).operation(),
        |merge| merge,
    );
    for p in [1.0, 2.0, 3.0] {
        check(
            |n| LpNorm::new(&[n, 40], &[0]).p(p).statistics(true).operation(),
            |merge| merge.norm(p),
        );
    }
    check(
        |n| {
            RmsNorm::new(&[n, 33])
                .axes(&[0])
                .weight_axes(&[1])
                .statistics(true)
                .operation()
        },
        // Sums of squares about 0.
        |merge| merge.norm(2.0),
    );
}

#[test]
fn an_empty_share_adds_nothing() {
    let operation = BatchNorm::new(&[0, 3, 4]).statistics(true).operation().unwrap();
    let plan = operation.plan_backward_sums(context(), Gradients::all()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    let none = create(context(), "none", 16);
    let poison = || upload(context(), "poison", &[f32::NAN; 12]);
    let [records, sums, dweight, dbias] = std::array::from_fn(|_| poison());
    let weight = upload(context(), "weight", &[1.0f32; 3]);
    let args = (Backward::new(&none, &none).weight(&weight).statistics(&records))
        .sums(&sums)
        .dweight(View::new(&dweight))
        .dbias(&dbias)
        .workspace(&workspace);
    run(|encoder| plan.backward(encoder, &args).unwrap());
    assert_eq!(read::<GradientSums>(&sums, 3), vec![GradientSums::default(); 3]);
    assert_eq!(read::<f32>(&dweight, 3), [0.0; 3]);
}

#[test]
fn what_sums_do_not_say_is_refused() {
    let kind = |operation: wgnorm::Result<Operation>| {
        let operation = operation.unwrap();
        let sums = operation
            .plan_backward_sums(context(), Gradients::of(&operation))
            .unwrap_err();
        assert_eq!(
            operation.plan_backward_apply(context()).unwrap_err().kind(),
            sums.kind()
        );
        sums.kind()
    };
    let batch = BatchNorm::new(&[4, 3, 2]);
    assert_eq!(kind(batch.operation()), ErrorKind::Parameter, "without records");
    assert_eq!(
        kind(batch.clone().use_running_statistics().operation()),
        ErrorKind::Parameter
    );
    let norm = LpNorm::new(&[4, 3], &[0]).p(f32::INFINITY).statistics(true);
    assert_eq!(kind(norm.operation()), ErrorKind::Parameter);
    assert_eq!(
        kind(LocalResponseNorm::new(&[2, 8], 3).operation()),
        ErrorKind::Parameter
    );

    // Sums of the wrong size, missing, or where none are made.
    let norm = batch.statistics(true);
    let tensor = create(context(), "tensor", 4 * 3 * 2 * 4);
    let small = create(context(), "small", 3 * 16);
    let [dx, few] = [96, 2 * 16].map(|bytes| create(context(), "other", bytes));
    let plan = norm.plan_backward_apply(context()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size().max(256));
    let args = Backward::new(&tensor, &tensor)
        .dx(&dx)
        .weight(&small)
        .statistics(&small)
        .workspace(&workspace);
    assert_eq!(plan.bind(&args).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(plan.bind(&args.sums(&few)).unwrap_err().kind(), ErrorKind::Size);
    let whole = norm
        .plan_backward(
            context(),
            Gradients {
                dweight: false,
                dbias: false,
                ..Gradients::all()
            },
        )
        .unwrap();
    assert_eq!(whole.bind(&args.sums(&small)).unwrap_err().kind(), ErrorKind::Argument);
}
