//! Large copies: they leave nothing of other tensors in a cache, and raise the clocks of an idle device.

use std::time::Instant;

use wgnorm::Context;
use wgnorm::wgpu::{CommandEncoder, ComputePassDescriptor};

use super::copy::Copy;
use super::timing::{Stamps, Work, milliseconds, submission_ms};
use crate::failure::Result;
use crate::machine;

/// Bytes read and written by a copy, at most, and where the size of the cache is known, in caches.
const MOST: u64 = 512 << 20;
const CACHES: u64 = 4;
/// Copies before each cold run on hardware: the device is busy with them until the host has submitted the run, whatever
/// the clocks were. `benches/gpu/peers.py` has as many.
const COPIES: usize = 4;
/// Milliseconds after which clocks are taken to be up, and copies in a submission of that time.
const WARM_UP_MS: f64 = 150.0;
const WARM_UP_COPIES: usize = 16;

/// A copy between two buffers that are larger than the caches of the device, or of most devices, or as large as it binds.
pub struct Eviction<'a> {
    context: &'a Context,
    copy: Copy,
    reader: Copy,
}

impl<'a> Eviction<'a> {
    pub fn new(context: &'a Context) -> Result<Self> {
        let binding = context.device().limits().max_storage_buffer_binding_size;
        let most = machine::cache_of(context).map_or(MOST, |cache| MOST.min(CACHES * cache));
        let copy = Copy::reference(context, most.min(2 * (binding - binding % 64)))?;
        Ok(Self {
            context,
            reader: copy.reader()?,
            copy,
        })
    }

    /// Raises the clocks of the device.
    pub fn warm_up(&self) -> Result<()> {
        warm_up(self.context, &self.copy)
    }

    /// Milliseconds of one run, submit to complete, after a copy that is over by then.
    pub fn submission_ms(&self, work: &dyn Work) -> Result<f64> {
        submission_ms(self.context, &self.copy, 1)?;
        submission_ms(self.context, work, 1)
    }

    /// Milliseconds of one run of each of `works` by timestamps, each after the copies, in one submission. `None` where the
    /// device has no timestamps.
    pub fn kernels_ms(&self, works: &[&dyn Work]) -> Result<Option<Vec<f64>>> {
        let (device, queue) = (self.context.device(), self.context.queue());
        let Some(stamps) = Stamps::new(device, works.len() as u32) else {
            return Ok(None);
        };
        let mut encoder = device.create_command_encoder(&Default::default());
        for (work, pass) in works.iter().zip(0..) {
            self.record(&mut encoder);
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
                label: Some("cold"),
                timestamp_writes: Some(stamps.writes(pass)),
            });
            work.record_in(&mut pass);
        }
        stamps.resolve(&mut encoder);
        queue.submit([encoder.finish()]);
        stamps.milliseconds(self.context).map(Some)
    }

    /// Records the copies, and a barrier behind them: no dispatch that follows shares a buffer with them, so that it could
    /// run beside their last workgroups. What reads their destination cannot, nor can what comes after it.
    fn record(&self, encoder: &mut CommandEncoder) {
        let copies = if self.context.traits().software { 1 } else { COPIES };
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..copies {
            self.copy.record_in(&mut pass);
        }
        self.reader.record_in(&mut pass);
    }
}

/// Keeps a device busy until its clocks are up: idle ones run at a fraction of them. A software adapter has none.
pub fn warm_up(context: &Context, copy: &Copy) -> Result<()> {
    let start = Instant::now();
    while !context.traits().software && milliseconds(start) < WARM_UP_MS {
        submission_ms(context, copy, WARM_UP_COPIES)?;
    }
    Ok(())
}
