//! Batch norm over shares of a batch, forward and backward, as over the whole of it: four micro-batches that follow each
//! other on one device, then two devices of this machine with half of the batch each:
//! `cargo run --example sync_batch_norm`.
//!
//! ```text
//! every share:   statistics -> moments            sums -> (sum(g), sum(g x_hat), count)
//! all of them:   moments merge                    sums add up: the all-reduce
//! every share:   apply -> y, records              apply -> dx
//! ```

use std::ops::Range;

use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Backward, BatchNorm, Context, Forward, GradientSums, Gradients, Merge, Moments, wgpu};

const SAMPLES: usize = 16;
const CHANNELS: usize = 24;
const SPATIAL: usize = 14 * 14;
/// Elements of a sample.
const SAMPLE: usize = CHANNELS * SPATIAL;

type Error = Box<dyn std::error::Error>;

/// A batch with the gradient of the loss by its y, and the parameters of the norm.
struct Batch {
    x: Vec<f32>,
    dy: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// What the norm makes of it.
#[derive(Default)]
struct Results {
    y: Vec<f32>,
    dx: Vec<f32>,
    dweight: Vec<f32>,
    dbias: Vec<f32>,
}

/// Some samples of the batch on a device.
struct Share<'a> {
    context: &'a Context,
    norm: BatchNorm,
    elements: usize,
    x: wgpu::Buffer,
    dy: wgpu::Buffer,
    weight: wgpu::Buffer,
    bias: wgpu::Buffer,
    /// Of the batch, once it is applied.
    records: wgpu::Buffer,
}

impl<'a> Share<'a> {
    fn new(context: &'a Context, batch: &Batch, samples: Range<usize>) -> Self {
        let elements = samples.start * SAMPLE..samples.end * SAMPLE;
        Self {
            context,
            norm: BatchNorm::new(&[samples.len(), CHANNELS, SPATIAL]).statistics(true),
            elements: elements.len(),
            x: upload(context, "x", &batch.x[elements.clone()]),
            dy: upload(context, "dy", &batch.dy[elements]),
            weight: upload(context, "weight", &batch.weight),
            bias: upload(context, "bias", &batch.bias),
            records: create(context, "records", CHANNELS as u64 * 16),
        }
    }

    fn tensor(&self) -> wgpu::Buffer {
        create(self.context, "tensor", self.elements as u64 * 4)
    }

    fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> wgnorm::Result<()>) -> wgnorm::Result<()> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        record(&mut encoder)?;
        self.context.queue().submit([encoder.finish()]);
        Ok(())
    }

    async fn moments(&self) -> Result<Vec<Moments>, Error> {
        let plan = self.norm.plan_statistics(self.context)?;
        let moments = create(self.context, "moments", CHANNELS as u64 * 32);
        let workspace = self.context.create_workspace(plan.workspace_size());
        let args = Forward::take_statistics(&self.x, &moments).workspace(&workspace);
        self.submit(|encoder| plan.forward(encoder, &args))?;
        Ok(download(self.context, &moments, 0..CHANNELS).await?)
    }

    /// y with the merged moments, whose records it keeps.
    async fn apply(&self, merged: &[Moments]) -> Result<Vec<f32>, Error> {
        let plan = self.norm.plan_apply(self.context)?;
        let (y, moments) = (self.tensor(), upload(self.context, "merged", merged));
        let workspace = self.context.create_workspace(plan.workspace_size());
        let args = (Forward::new(&self.x, &y).weight(&self.weight).bias(&self.bias))
            .moments(&moments)
            .statistics(&self.records)
            .workspace(&workspace);
        self.submit(|encoder| plan.forward(encoder, &args))?;
        Ok(download(self.context, &y, 0..self.elements).await?)
    }

    /// The sums of this share, with its dweight and dbias; added to what is there, or not.
    fn add_sums(&self, to: &Sums, accumulate: bool) -> wgnorm::Result<()> {
        let gradients = Gradients {
            accumulate,
            ..Gradients::all()
        };
        let plan = self.norm.plan_backward_sums(self.context, gradients)?;
        let workspace = self.context.create_workspace(plan.workspace_size());
        let args = (Backward::new(&self.x, &self.dy).weight(&self.weight))
            .statistics(&self.records)
            .sums(&to.sums)
            .dweight(&to.dweight)
            .dbias(&to.dbias)
            .workspace(&workspace);
        self.submit(|encoder| plan.backward(encoder, &args))
    }

    async fn dx(&self, sums: &wgpu::Buffer) -> Result<Vec<f32>, Error> {
        let plan = self.norm.plan_backward_apply(self.context)?;
        let dx = self.tensor();
        let workspace = self.context.create_workspace(plan.workspace_size());
        let args = (Backward::new(&self.x, &self.dy).weight(&self.weight))
            .statistics(&self.records)
            .sums(sums)
            .dx(&dx)
            .workspace(&workspace);
        self.submit(|encoder| plan.backward(encoder, &args))?;
        Ok(download(self.context, &dx, 0..self.elements).await?)
    }
}

/// The whole batch at once, as one takes it that fits a device.
async fn whole(context: &Context, batch: &Batch) -> Result<Results, Error> {
    let all = Share::new(context, batch, 0..SAMPLES);
    let (plan, back) = (
        all.norm.plan(context)?,
        all.norm.plan_backward(context, Gradients::all())?,
    );
    let (y, dx, parameters) = (all.tensor(), all.tensor(), Sums::new(context));
    let workspace = context.create_workspace(plan.workspace_size().max(back.workspace_size()));
    let forward = (Forward::new(&all.x, &y).weight(&all.weight).bias(&all.bias))
        .statistics(&all.records)
        .workspace(&workspace);
    let backward = (Backward::new(&all.x, &all.dy).weight(&all.weight).dx(&dx))
        .dweight(&parameters.dweight)
        .dbias(&parameters.dbias)
        .statistics(&all.records)
        .workspace(&workspace);
    all.submit(|encoder| {
        plan.forward(encoder, &forward)?;
        back.backward(encoder, &backward)
    })?;
    let (_, dweight, dbias) = parameters.read(context).await?;
    Ok(Results {
        y: download(context, &y, 0..all.elements).await?,
        dx: download(context, &dx, 0..all.elements).await?,
        dweight,
        dbias,
    })
}

/// Gradients that shares have in common, on a device.
struct Sums {
    sums: wgpu::Buffer,
    dweight: wgpu::Buffer,
    dbias: wgpu::Buffer,
}

impl Sums {
    fn new(context: &Context) -> Self {
        let per_channel = |bytes: usize| create(context, "sums", (CHANNELS * bytes) as u64);
        Self {
            sums: per_channel(size_of::<GradientSums>()),
            dweight: per_channel(4),
            dbias: per_channel(4),
        }
    }

    async fn read(&self, context: &Context) -> Result<(Vec<GradientSums>, Vec<f32>, Vec<f32>), Error> {
        Ok((
            download(context, &self.sums, 0..CHANNELS).await?,
            download(context, &self.dweight, 0..CHANNELS).await?,
            download(context, &self.dbias, 0..CHANNELS).await?,
        ))
    }
}

/// The moments of all shares together, in order: made on the first one's device.
async fn merge(shares: &[Share<'_>]) -> Result<Vec<Moments>, Error> {
    let mut parts = Vec::new();
    for share in shares {
        parts.extend(share.moments().await?);
    }
    let first = &shares[0];
    let parts = upload(first.context, "parts", &parts);
    let merged = create(first.context, "merged", CHANNELS as u64 * 32);
    let plan = Merge::new(CHANNELS, shares.len()).plan(first.context)?;
    let bound = plan.bind(&parts, &merged)?;
    first.submit(|encoder| {
        bound.record(encoder);
        Ok(())
    })?;
    Ok(download(first.context, &merged, 0..CHANNELS).await?)
}

/// Micro-batches on one device: the sums of one are added to those before it.
async fn micro_batches(context: &Context, batch: &Batch, count: usize) -> Result<Results, Error> {
    let samples = SAMPLES / count;
    let shares: Vec<_> = (0..count)
        .map(|i| Share::new(context, batch, i * samples..(i + 1) * samples))
        .collect();
    let (merged, sums) = (merge(&shares).await?, Sums::new(context));
    let mut results = Results::default();
    for (number, share) in shares.iter().enumerate() {
        results.y.extend(share.apply(&merged).await?);
        share.add_sums(&sums, number > 0)?;
    }
    for share in &shares {
        results.dx.extend(share.dx(&sums.sums).await?);
    }
    (_, results.dweight, results.dbias) = sums.read(context).await?;
    Ok(results)
}

/// Devices with a share each: moments and sums go through the host, which adds them.
async fn devices(contexts: &[Context], batch: &Batch) -> Result<Results, Error> {
    let samples = SAMPLES / contexts.len();
    let shares: Vec<_> = (contexts.iter().enumerate())
        .map(|(i, context)| Share::new(context, batch, i * samples..(i + 1) * samples))
        .collect();
    let merged = merge(&shares).await?;
    let mut results = Results {
        dweight: vec![0.0; CHANNELS],
        dbias: vec![0.0; CHANNELS],
        ..Results::default()
    };
    let mut all = vec![GradientSums::default(); CHANNELS];
    for share in &shares {
        results.y.extend(share.apply(&merged).await?);
        let own = Sums::new(share.context);
        share.add_sums(&own, false)?;
        let (sums, dweight, dbias) = own.read(share.context).await?;
        for c in 0..CHANNELS {
            all[c] = all[c] + sums[c];
            results.dweight[c] += dweight[c];
            results.dbias[c] += dbias[c];
        }
    }
    for share in &shares {
        let sums = upload(share.context, "sums", &all);
        results.dx.extend(share.dx(&sums).await?);
    }
    Ok(results)
}

/// The largest difference, in units of the last place of the largest value.
fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
    let off = found
        .iter()
        .zip(expected)
        .fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    off / (f32::EPSILON * largest)
}

fn main() -> Result<(), Error> {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut random = |len: usize, about: f32| -> Vec<f32> { (0..len).map(|_| about + rng.f32() - 0.5).collect() };
    let batch = Batch {
        x: random(SAMPLES * SAMPLE, 100.0),
        dy: random(SAMPLES * SAMPLE, 0.0),
        weight: random(CHANNELS, 1.0),
        bias: random(CHANNELS, 0.0),
    };
    pollster::block_on(async {
        let contexts = [
            Context::request(&Default::default()).await?,
            Context::request(&Default::default()).await?,
        ];
        let whole = whole(&contexts[0], &batch).await?;
        println!("off by, in ULP of the largest value   y     dx    dweight dbias");
        for (name, shares) in [
            (
                "four micro-batches on one device",
                micro_batches(&contexts[0], &batch, 4).await?,
            ),
            ("two devices", devices(&contexts, &batch).await?),
        ] {
            let all = [
                off(&shares.y, &whole.y),
                off(&shares.dx, &whole.dx),
                off(&shares.dweight, &whole.dweight),
                off(&shares.dbias, &whole.dbias),
            ];
            println!("{name:<35} {:5.2} {:5.2} {:6.2} {:6.2}", all[0], all[1], all[2], all[3]);
            assert!(all.into_iter().all(|off| off <= 4.0), "{name}: {all:?}");
        }
        Ok(())
    })
}
