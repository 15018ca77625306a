//! Timing work on a device: submit to complete, and by timestamps.

use std::time::Instant;

use wgnorm::verify::transfer::download;
use wgnorm::wgpu::{self, BufferUsages};
use wgnorm::{Bound, Context};

use crate::failure::Result;
use crate::resident::wait;

/// A submission is filled with recordings until it takes about this long, so that its overhead does not count.
const SUBMISSION_MS: f64 = 8.0;
const MAX_RECORDINGS: usize = 64;

/// Something that can be recorded any number of times.
pub trait Work {
    fn record(&self, encoder: &mut wgpu::CommandEncoder);

    /// Records into a pass that is there. False, and nothing is recorded, where the work is not dispatches.
    fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) -> bool;
}

impl Work for Bound {
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        Bound::record(self, encoder);
    }

    fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) -> bool {
        Bound::record_in(self, pass);
        true
    }
}

/// One piece of work with the number of recordings per submission that suits it.
pub struct Timed<'a> {
    context: &'a Context,
    work: &'a dyn Work,
    recordings: usize,
    samples: Vec<f64>,
    kernel: Vec<f64>,
}

impl<'a> Timed<'a> {
    /// Warms up (drivers compile on first use) and sizes the submission.
    pub fn new(context: &'a Context, work: &'a dyn Work) -> Result<Self> {
        submission_ms(context, work, 1)?;
        let once = submission_ms(context, work, 1)?;
        Ok(Self {
            context,
            work,
            recordings: ((SUBMISSION_MS / once.max(1e-6)).ceil() as usize).clamp(1, MAX_RECORDINGS),
            samples: Vec::new(),
            kernel: Vec::new(),
        })
    }

    /// Takes one sample, after a run that does not count: its own data are the last that the device has touched.
    pub fn sample(&mut self) -> Result<()> {
        submission_ms(self.context, self.work, 1)?;
        let ms = submission_ms(self.context, self.work, self.recordings)?;
        self.samples.push(ms / self.recordings as f64);
        Ok(())
    }

    /// Takes one sample by timestamps, where the device has them.
    pub fn sample_kernel(&mut self) -> Result<()> {
        let pass = Pass::time(self.context, self.work, self.recordings)?;
        let each = |ms: f64| ms / self.recordings as f64;
        self.kernel.extend(pass.kernel_ms.map(each));
        Ok(())
    }

    pub fn samples(&self) -> &[f64] {
        &self.samples
    }

    /// The median by timestamps; `None` where the device has none.
    pub fn kernel_ms(&self) -> Option<f64> {
        (!self.kernel.is_empty()).then(|| median(&self.kernel))
    }

    pub fn recordings(&self) -> usize {
        self.recordings
    }
}

/// Submit to complete, of some recordings together.
pub fn submission_ms(context: &Context, work: &dyn Work, recordings: usize) -> Result<f64> {
    let mut encoder = context.device().create_command_encoder(&Default::default());
    for _ in 0..recordings {
        work.record(&mut encoder);
    }
    let commands = encoder.finish();
    let start = Instant::now();
    context.queue().submit([commands]);
    wait(context.device())?;
    Ok(milliseconds(start))
}

/// Milliseconds of one pass with a number of recordings, all of them together.
pub struct Pass {
    /// Recording, and finishing the encoder.
    pub record_ms: f64,
    /// Submit to complete.
    pub gpu_ms: f64,
    /// By the device's own timestamps; `None` where it has none.
    pub kernel_ms: Option<f64>,
}

impl Pass {
    pub fn time(context: &Context, work: &dyn Work, recordings: usize) -> Result<Self> {
        let (device, queue) = (context.device(), context.queue());
        let stamps = Stamps::new(device, 1);
        let mut dispatched = true;
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("timed"),
                timestamp_writes: stamps.as_ref().map(|stamps| stamps.writes(0)),
            });
            for _ in 0..recordings {
                dispatched &= work.record_in(&mut pass);
            }
        }
        if let Some(stamps) = &stamps {
            stamps.resolve(&mut encoder);
        }
        let commands = encoder.finish();
        let record_ms = milliseconds(start);
        let start = Instant::now();
        queue.submit([commands]);
        wait(device)?;
        let gpu_ms = milliseconds(start);
        let kernel_ms = match stamps {
            Some(stamps) if dispatched => stamps.milliseconds(context)?.first().copied(),
            _ => None,
        };
        Ok(Self {
            record_ms,
            gpu_ms,
            kernel_ms,
        })
    }
}

/// The timestamps of the two ends of some passes.
pub struct Stamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    passes: u32,
}

impl Stamps {
    /// `None` where the device has no timestamps.
    pub fn new(device: &wgpu::Device, passes: u32) -> Option<Self> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        Some(Self {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("pass begin and end"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * passes,
            }),
            resolved: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 16 * u64::from(passes),
                usage: BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
            passes,
        })
    }

    pub fn writes(&self, pass: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * pass),
            end_of_pass_write_index: Some(2 * pass + 1),
        }
    }

    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..2 * self.passes, &self.resolved, 0);
    }

    /// Milliseconds of each pass, once all are submitted.
    pub fn milliseconds(&self, context: &Context) -> Result<Vec<f64>> {
        let count = 2 * self.passes as usize;
        let ticks: Vec<u64> = pollster::block_on(download(context, &self.resolved, 0..count))?;
        let period = f64::from(context.queue().get_timestamp_period());
        let passes = ticks.chunks_exact(2);
        Ok(passes
            .map(|ends| ends[1].saturating_sub(ends[0]) as f64 * period * 1e-6)
            .collect())
    }
}

pub fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The median; NaN of nothing.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// (largest - smallest) / median.
pub fn spread(samples: &[f64]) -> f64 {
    let low = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let high = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (high - low) / median(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[1.0, 2.0, 3.0]), 1.0);
    }
}
