//! Training: batches go to the device an epoch at a time, losses come back an epoch at a time.

use fastrand::Rng;
use wgnorm::verify::transfer::{download, upload};
use wgnorm::{Context, Result, wgpu};

use crate::data::{CLASSES, Digits, PIXELS, TRAINING};
use crate::network::{Network, Shape};
use crate::norm::Norm;

const BATCH: usize = 64;
const _: () = assert!(TRAINING.is_multiple_of(BATCH), "an epoch is of whole batches");
/// Many for so small a task: what becomes of signals and gradients on their way through them is what norms are for.
const HIDDEN: [usize; 6] = [64; 6];
const GROUPS: usize = 8;

/// A network, its data, and the means to train it again and again.
pub struct Trainer<'a> {
    context: &'a Context,
    training: &'a Digits,
    test: &'a Digits,
    pub network: Network,
    /// The images of an epoch in its order, their labels, and their losses.
    epoch: [wgpu::Buffer; 3],
}

/// What a training is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub rate: f32,
    pub epochs: u32,
    /// Of the parameters and of the order of the images.
    pub seed: u64,
}

/// What a training came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The mean loss of the last epoch's steps; NaN or infinite where training stopped since it had diverged.
    pub loss: f64,
    /// The share of the test images that were told right.
    pub accuracy: f64,
}

impl Outcome {
    /// Whether the loss has left the numbers, or is above nine tenths of that of guessing, ln 10.
    pub fn diverged(&self) -> bool {
        !self.loss.is_finite() || self.loss >= 0.9 * (CLASSES as f64).ln()
    }
}

impl<'a> Trainer<'a> {
    pub fn new(context: &'a Context, norm: Norm, training: &'a Digits, test: &'a Digits) -> Result<Self> {
        let shape = Shape {
            widths: [&[PIXELS], &HIDDEN[..]].concat(),
            classes: CLASSES,
            groups: GROUPS,
            batch: BATCH,
            test: test.len(),
        };
        let network = Network::new(context, &shape, norm)?;
        let write = |buffer, values| context.queue().write_buffer(buffer, 0, values);
        write(&network.test.input, bytemuck::cast_slice(&test.pixels));
        write(&network.test.labels, bytemuck::cast_slice(&test.labels));
        Ok(Self {
            context,
            training,
            test,
            network,
            epoch: [
                upload(context, "images", &training.pixels),
                upload(context, "labels", &training.labels),
                upload(context, "losses", &[0.0f32; TRAINING]),
            ],
        })
    }

    /// Trains from the start, telling each epoch's number (from 1) and loss, and tests.
    pub async fn train(&self, settings: Settings, mut tell: impl FnMut(u32, f64)) -> Result<Outcome> {
        let mut rng = Rng::with_seed(settings.seed);
        self.network.reset(settings.rate, &mut rng);
        let mut loss = f64::NAN;
        for epoch in 1..=settings.epochs {
            loss = self.train_epoch(&mut rng).await?;
            tell(epoch, loss);
            if !loss.is_finite() {
                break;
            }
        }
        let accuracy = self.accuracy().await?;
        Ok(Outcome { loss, accuracy })
    }

    /// One epoch: every image once, in batches. The whole of it is recorded and submitted as one.
    async fn train_epoch(&self, rng: &mut Rng) -> Result<f64> {
        let digits = self.training.shuffled(rng);
        let [images, labels, losses] = &self.epoch;
        let queue = self.context.queue();
        queue.write_buffer(images, 0, bytemuck::cast_slice(&digits.pixels));
        queue.write_buffer(labels, 0, bytemuck::cast_slice(&digits.labels));
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let pass = &self.network.training;
        for batch in 0..(digits.len() / BATCH) as u64 {
            let bytes = BATCH as u64 * 4;
            let image_bytes = bytes * PIXELS as u64;
            encoder.copy_buffer_to_buffer(images, batch * image_bytes, &pass.input, 0, image_bytes);
            encoder.copy_buffer_to_buffer(labels, batch * bytes, &pass.labels, 0, bytes);
            pass.record(&mut encoder);
            encoder.copy_buffer_to_buffer(&pass.losses, 0, losses, batch * bytes, bytes);
        }
        queue.submit([encoder.finish()]);
        let losses: Vec<f32> = download(self.context, losses, 0..digits.len()).await?;
        Ok(losses.iter().copied().map(f64::from).sum::<f64>() / losses.len() as f64)
    }

    /// The share of the test images whose own logit is above all others; so NaN is wrong.
    async fn accuracy(&self) -> Result<f64> {
        let pass = &self.network.test;
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        pass.record(&mut encoder);
        self.context.queue().submit([encoder.finish()]);
        let columns = CLASSES.next_multiple_of(4);
        let logits: Vec<f32> = download(self.context, &pass.logits, 0..self.test.len() * columns).await?;
        let right = logits.chunks(columns).zip(&self.test.labels).filter(|(logits, label)| {
            let own = **label as usize;
            (0..CLASSES).all(|class| class == own || logits[class] < logits[own])
        });
        Ok(right.count() as f64 / self.test.len() as f64)
    }
}
