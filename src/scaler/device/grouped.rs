//! Parameters by key on the device.

use std::collections::BTreeMap;

use super::fit::{Spans, fit_kernel};
use super::reader::{Listed, Reader, Reading, Recorded, reads};
use super::transform::{Map, TransformPlan};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::features::Features;
use crate::scaler::fit::Fitter;
use crate::scaler::grouped::GroupedScaler;
use crate::scaler::grouped_fit::check_keys;
use crate::scaler::method::Method;
use crate::scaler::parameters::Scaler;

/// Parameters of every key in the making, of data in the caller's buffers: a
/// [`GroupedFitter`](crate::scaler::GroupedFitter) of min-max, max-abs and z-score on the device.
///
/// Keys are on the host, one a row. A part is read in one pass, whatever the keys of its rows: the rows are listed by key,
/// 4 bytes each.
///
/// ```
/// use wgnorm::scaler::{Features, Method, Standard};
/// use wgnorm::verify::transfer::{download, upload};
/// # pollster::block_on(async {
/// let context = wgnorm::Context::request(&Default::default()).await?;
/// // Two devices, one of which measures 100 more.
/// let (x, keys) = (upload(&context, "x", &[1.0f32, 101.0, 103.0, 3.0]), [7, 9, 9, 7]);
/// let mut fitter = Method::from(Standard::new()).grouped_device_fitter(&context, 1)?;
/// let mut encoder = context.device().create_command_encoder(&Default::default());
/// let recorded = fitter.record(&mut encoder, &x, Features::whole(4), &keys)?;
/// context.queue().submit([encoder.finish()]);
/// let words: Vec<u32> = download(&context, fitter.results(), 0..recorded.words).await?;
/// fitter.absorb(&recorded, &words)?;
/// let scaler = fitter.finish()?;
/// assert_eq!(scaler.get(9).unwrap().center(), [102.0]);
///
/// let mut encoder = context.device().create_command_encoder(&Default::default());
/// let plan = scaler.plan_transform(&context, Features::whole(4), &keys)?;
/// plan.bind(&x, &x)?.record(&mut encoder); // in place
/// context.queue().submit([encoder.finish()]);
/// assert_eq!(download::<f32>(&context, &x, 0..4).await?, [-1.0, -1.0, 1.0, 1.0]);
/// # Ok::<(), wgnorm::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DeviceGroupedFitter {
    reader: Reader,
    method: Method,
    groups: BTreeMap<u32, Fitter>,
}

reads!(DeviceGroupedFitter);

impl Method {
    /// A fit by key of f32 data on a device, or of [u8](DeviceGroupedFitter::of_u8).
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings, for methods that learn nothing, and for
    /// what is fitted by key on the CPU alone: what takes several passes.
    /// [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features.
    pub fn grouped_device_fitter(&self, context: &Context, features: usize) -> Result<DeviceGroupedFitter> {
        self.check(features)?;
        match self.passes::<f32>() {
            0 => bail!(Parameter, "method", "{} learns nothing, by key or not", self.name()),
            1 => {}
            _ => bail!(
                Parameter,
                "method",
                "{} takes several passes, which are made by key on the CPU alone",
                self.name()
            ),
        }
        Ok(DeviceGroupedFitter {
            reader: Reader::new(context, features, Reader::words_of_spans(features))?,
            method: self.clone(),
            groups: BTreeMap::new(),
        })
    }
}

impl DeviceGroupedFitter {
    /// Records what a part of the data takes, which overwrites the results.
    ///
    /// # Errors
    /// As [`DeviceFitter::record`](crate::scaler::DeviceFitter::record), and
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of keys than rows.
    pub fn record<'a>(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
        keys: &[u32],
    ) -> Result<Recorded> {
        self.record_part(encoder, x.into(), features, keys, None)
    }

    /// Records a part whose rows have weights too, an f32 each: for z-score.
    ///
    /// # Errors
    /// As [`record`](Self::record) and
    /// [`DeviceFitter::record_weighted`](crate::scaler::DeviceFitter::record_weighted).
    pub fn record_weighted<'a>(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
        keys: &[u32],
        weights: impl Into<View<'a>>,
    ) -> Result<Recorded> {
        self.method.check_weighted()?;
        self.record_part(encoder, x.into(), features, keys, Some(weights.into()))
    }

    fn record_part(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        x: View<'_>,
        features: Features,
        keys: &[u32],
        weights: Option<View<'_>>,
    ) -> Result<Recorded> {
        check_keys(keys, features.rows())?;
        let rows = Listed::new(keys, self.reader.features);
        self.reader.make_room(self.reader.words_of(&rows))?;
        let kernel = fit_kernel(&self.method, weights.is_some(), true);
        let reading = Reading {
            weights,
            rows: Some(rows),
            ..Reading::spans(kernel)
        };
        self.reader.record(encoder, x, features, reading)
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// As [`DeviceFitter::absorb`](crate::scaler::DeviceFitter::absorb); what was learned before stays.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        recorded.check(words)?;
        let features = self.reader.features.max(1);
        let spans = Spans::new(&self.method, words, features, recorded.weighted)?;
        for key in &recorded.keys {
            if !self.groups.contains_key(key) {
                self.groups.insert(*key, self.method.fitter(features)?);
            }
        }
        for (i, span) in spans.iter() {
            if let Some(group) = self.groups.get_mut(&recorded.keys[i / features]) {
                span.merge(&mut group.fitted, i % features, self.method.logarithm());
            }
        }
        Ok(())
    }

    /// The keys so far, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = u32> {
        self.groups.keys().copied()
    }

    /// The scaler of all rows, whatever their keys: the groups', merged.
    ///
    /// # Errors
    /// None that fits of this crate could have.
    pub fn all(&self) -> Result<Scaler> {
        let mut all = self.method.fitter(self.reader.features)?;
        for group in self.groups.values() {
            all.merge(group)?;
        }
        all.finish()
    }

    /// The scalers of what was learned, which refuse other keys unless they are told
    /// [what those get](GroupedScaler::with_others).
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) if there were no rows.
    pub fn finish(&self) -> Result<GroupedScaler> {
        let scalers = self.groups.iter().map(|(key, group)| Ok((*key, group.finish()?)));
        GroupedScaler::new(scalers.collect::<Result<Vec<_>>>()?)
    }
}

impl GroupedScaler {
    /// Plans the transform of f32 on a device, every row by its key, to the same places of y. The keys are those of the
    /// rows, on the host.
    ///
    /// # Errors
    /// As [`Scaler::plan_transform`], and [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of keys than
    /// rows, [`Data`](crate::ErrorKind::Data) for a key that was not fitted.
    pub fn plan_transform(&self, context: &Context, features: Features, keys: &[u32]) -> Result<TransformPlan> {
        self.plan(context, features, keys, false)
    }

    /// Plans the transform back.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform).
    pub fn plan_inverse(&self, context: &Context, features: Features, keys: &[u32]) -> Result<TransformPlan> {
        self.plan(context, features, keys, true)
    }

    fn plan(&self, context: &Context, features: Features, keys: &[u32], inverse: bool) -> Result<TransformPlan> {
        let numbers = self.numbers(keys, &features)?;
        let mut scalers = self.scalers.iter().chain(&self.others);
        let Some(first) = scalers.next() else {
            bail!(Data, "keys", "are none, there is nothing to transform by");
        };
        let mut map = first.map(inverse, true)?;
        for scaler in scalers {
            let Map { table, .. } = scaler.map(inverse, true)?;
            map.append(table);
        }
        TransformPlan::new(context, self.features(), features, features, map, Some(&numbers))
    }
}
