//! Exact quantiles on the device.

use super::fit::count;
use super::reader::{Reader, Recorded, reads};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::features::Features;
use crate::scaler::fit::check_rows;
use crate::scaler::passes::not_again;
use crate::scaler::quantile::{Interpolation, ranks};
use crate::scaler::ranks::{Rank, Ranks};
use crate::scaler::select::Selection;

/// Exact quantiles of data in the caller's buffers: [`quantiles`](crate::scaler::quantiles()), on the device.
///
/// The data are read in three passes (in four for more than 32 quantiles); each may be in one part or in many: as a
/// [`DeviceFitter`](crate::scaler::DeviceFitter) reads them. Counts are read back, and the quantiles made of them on the
/// host, the same bits as on the CPU.
///
/// ```
/// use wgnorm::scaler::{DeviceQuantiles, Features, Interpolation};
/// use wgnorm::verify::transfer::{download, upload};
/// # pollster::block_on(async {
/// let context = wgnorm::Context::request(&Default::default()).await?;
/// let x = upload(&context, "x", &[1.0f32, 5.0, 2.0, f32::NAN, 9.0]);
/// let mut quantiles = DeviceQuantiles::new(&context, 1, &[0.5, 1.0], Interpolation::Linear)?;
/// loop {
///     let mut encoder = context.device().create_command_encoder(&Default::default());
///     let recorded = quantiles.record(&mut encoder, &x, Features::whole(5))?;
///     context.queue().submit([encoder.finish()]);
///     let words: Vec<u32> = download(&context, quantiles.results(), 0..recorded.words).await?;
///     quantiles.absorb(&recorded, &words)?;
///     if !quantiles.next_pass()? {
///         break;
///     }
/// }
/// assert_eq!(quantiles.finish()?, [[3.5, 9.0]]);
/// # Ok::<(), wgnorm::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DeviceQuantiles {
    reader: Reader,
    quantiles: Vec<Rank>,
    selection: Selection<f32>,
    complete: bool,
}

reads!(DeviceQuantiles);

impl DeviceQuantiles {
    /// Quantiles of so many features, each from 0 to 1.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for a quantile outside of 0 to 1,
    /// [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features.
    pub fn new(context: &Context, features: usize, quantiles: &[f64], interpolation: Interpolation) -> Result<Self> {
        let quantiles = ranks(quantiles, interpolation)?;
        let selection = Selection::new(features, Ranks::Quantiles(quantiles.clone()));
        Ok(Self {
            reader: Reader::new(context, features, selection.counters())?,
            quantiles,
            selection,
            complete: false,
        })
    }

    /// Records what a part of the data takes, which overwrites the results.
    ///
    /// # Errors
    /// As [`DeviceFitter::record`](crate::scaler::DeviceFitter::record), and
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) after the last pass.
    pub fn record<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
    ) -> Result<Recorded> {
        if self.complete {
            return not_again();
        }
        let reading = count(&self.reader, &self.selection);
        self.reader.record(encoder, x.into(), features, reading)
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of words.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        recorded.check(words)?;
        self.selection.absorb(words, recorded.rows as u64);
        Ok(())
    }

    /// Ends a pass, in which all parts were recorded and taken in. True if all have to be once more.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) if there were no rows, or other data than in the pass before.
    pub fn next_pass(&mut self) -> Result<bool> {
        if self.complete {
            return Ok(false);
        }
        let again = self.selection.next()?;
        check_rows(self.selection.rows())?;
        self.complete = !again;
        if again {
            self.reader.make_room(self.selection.counters())?;
        }
        Ok(again)
    }

    /// The quantiles: `[feature][quantile]`, NaN of no value.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) if passes are missing.
    pub fn finish(&self) -> Result<Vec<Vec<f64>>> {
        if !self.complete {
            bail!(OnePass, "quantiles", "need all their passes over the data");
        }
        let selected = self.selection.finish();
        Ok((selected.iter())
            .map(|selected| self.quantiles.iter().map(|rank| selected.at(rank)).collect())
            .collect())
    }
}
