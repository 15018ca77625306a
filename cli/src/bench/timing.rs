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
}

impl Work for Bound {
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        Bound::record(self, encoder);
    }
}

/// One piece of work with the number of recordings per submission that suits it.
pub struct Timed<'a> {
    context: &'a Context,
    work: &'a dyn Work,
    recordings: usize,
    samples: Vec<f64>,
    cold: Vec<f64>,
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
            cold: Vec::new(),
        })
    }

    /// Takes one sample, after a run that does not count: its own data are the last that the device has touched.
    pub fn sample(&mut self) -> Result<()> {
        submission_ms(self.context, self.work, 1)?;
        let ms = submission_ms(self.context, self.work, self.recordings)?;
        self.samples.push(ms / self.recordings as f64);
        Ok(())
    }

    /// Takes one sample of a single run after `eviction`, which does not count.
    pub fn sample_cold(&mut self, eviction: &dyn Work) -> Result<()> {
        submission_ms(self.context, eviction, 1)?;
        self.cold.push(submission_ms(self.context, self.work, 1)?);
        Ok(())
    }

    pub fn samples(&self) -> &[f64] {
        &self.samples
    }

    pub fn cold_samples(&self) -> &[f64] {
        &self.cold
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

/// Milliseconds of one recording by the device's own timestamps; `None` where it has none.
pub fn kernel_ms(context: &Context, bound: &Bound, recordings: usize) -> Result<Option<f64>> {
    let device = context.device();
    if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Ok(None);
    }
    let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
        label: Some("pass begin and end"),
        ty: wgpu::QueryType::Timestamp,
        count: 2,
    });
    let resolved = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("timestamps"),
        size: 16,
        usage: BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("timed"),
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            }),
        });
        for _ in 0..recordings {
            bound.record_in(&mut pass);
        }
    }
    encoder.resolve_query_set(&queries, 0..2, &resolved, 0);
    context.queue().submit([encoder.finish()]);
    let ticks: Vec<u64> = pollster::block_on(download(context, &resolved, 0..2))?;
    let nanoseconds = ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(context.queue().get_timestamp_period());
    Ok(Some(nanoseconds * 1e-6 / recordings as f64))
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
