//! Fits on the device.

use super::not_on_device;
use super::reader::{Reader, Reading, Recorded, WORDS, reads};
use super::shader::{Function, Kernel, Params};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::centers::Sum;
use crate::scaler::element::Element;
use crate::scaler::extremes::Extremes;
use crate::scaler::features::Features;
use crate::scaler::fit::{Fitter, check_rows, refuse_infinity};
use crate::scaler::logarithm::Logarithm;
use crate::scaler::method::{Infinities, Method};
use crate::scaler::moments::Moment;
use crate::scaler::parameters::{Fitted, Scaler};
use crate::scaler::passes::OrderFit;
use crate::scaler::select::Selection;

/// A fit on the device, of data in the caller's buffers.
///
/// The data are read in one pass or, for order statistics, in three; each may be in one part or in many. A part is
/// [recorded](Self::record) into the caller's encoder; once that is submitted and done, what it left in
/// [`results`](Self::results) is [taken in](Self::absorb). [`next_pass`](Self::next_pass) says if all parts have to be
/// read again. Parameters end up on the host, in f64.
///
/// ```
/// use wgnorm::scaler::{Features, Method, Robust};
/// use wgnorm::verify::transfer::{download, upload};
/// # pollster::block_on(async {
/// let context = wgnorm::Context::request(&Default::default()).await?;
/// let x = upload(&context, "x", &[1.0f32, 10.0, 2.0, 20.0, 3.0, 30.0]);
/// let table = Features::columns(3, 2);
/// let mut fitter = Method::from(Robust::new()).device_fitter(&context, 2)?;
/// loop {
///     let mut encoder = context.device().create_command_encoder(&Default::default());
///     let recorded = fitter.record(&mut encoder, &x, table)?;
///     context.queue().submit([encoder.finish()]);
///     let words: Vec<u32> = download(&context, fitter.results(), 0..recorded.words).await?;
///     fitter.absorb(&recorded, &words)?;
///     if !fitter.next_pass()? {
///         break;
///     }
/// }
/// assert_eq!(fitter.finish()?.center(), [2.0, 20.0]);
/// # Ok::<(), wgnorm::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DeviceFitter {
    reader: Reader,
    state: State,
}

reads!(DeviceFitter);

#[derive(Debug)]
enum State {
    /// One pass: spans are merged.
    Spans(Fitter, u64),
    /// Digits are counted.
    Counts(Box<OrderFit<f32>>),
}

impl Method {
    /// A fit of f32 data on a device, or of [u8](DeviceFitter::of_u8).
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings and for what is fitted on the CPU alone:
    /// power transforms, whose search needs f64, and logarithms before quantile and power transforms and unit norms.
    /// [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features.
    pub fn device_fitter(&self, context: &Context, features: usize) -> Result<DeviceFitter> {
        self.check(features)?;
        let state = match self.core() {
            Self::Power(_) => return not_on_device(self),
            Self::Quantile(_) | Self::UnitNorm(_) if self.logarithm().is_some() => return not_on_device(self),
            Self::Robust(_) | Self::Quantile(_) => State::Counts(Box::new(OrderFit::new(self.clone(), features)?)),
            _ => State::Spans(self.fitter(features)?, 0),
        };
        let words = match &state {
            State::Spans(..) => Reader::words_of_spans(features),
            State::Counts(fit) => fit.selection.counters(),
        };
        let reader = Reader::new(context, features, words)?;
        Ok(DeviceFitter { reader, state })
    }
}

impl DeviceFitter {
    /// Records what a part of the data takes, which overwrites the results.
    ///
    /// # Errors
    /// Before anything is recorded: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of features,
    /// [`Usage`](crate::ErrorKind::Usage) and [`Size`](crate::ErrorKind::Size) for the buffer,
    /// [`Limit`](crate::ErrorKind::Limit) for more than a binding holds,
    /// [`OnePass`](crate::ErrorKind::OnePass) after the last of several passes.
    pub fn record<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
    ) -> Result<Recorded> {
        self.record_part(encoder, x.into(), features, None)
    }

    /// Records a part whose rows have weights, an f32 each: for z-score, as [`Fitter::partial_fit_weighted`].
    ///
    /// ```
    /// use wgnorm::scaler::{Features, Method, Standard};
    /// use wgnorm::verify::transfer::{download, upload};
    /// # pollster::block_on(async {
    /// let context = wgnorm::Context::request(&Default::default()).await?;
    /// let mut fitter = Method::from(Standard::new()).device_fitter(&context, 1)?;
    /// let (x, weights) = (upload(&context, "x", &[1.0f32, 5.0]), upload(&context, "weights", &[3.0f32, 1.0]));
    /// let mut encoder = context.device().create_command_encoder(&Default::default());
    /// let recorded = fitter.record_weighted(&mut encoder, &x, Features::columns(2, 1), &weights)?;
    /// context.queue().submit([encoder.finish()]);
    /// fitter.absorb(&recorded, &download(&context, fitter.results(), 0..recorded.words).await?)?;
    /// assert_eq!(fitter.finish()?.center(), [2.0]);
    /// # Ok::<(), wgnorm::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`record`](Self::record), for the weights too, and [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for
    /// methods that have none. Weights that are negative or not finite are found by [`absorb`](Self::absorb).
    pub fn record_weighted<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
        weights: impl Into<View<'a>>,
    ) -> Result<Recorded> {
        self.method().check_weighted()?;
        self.record_part(encoder, x.into(), features, Some(weights.into()))
    }

    fn method(&self) -> &Method {
        match &self.state {
            State::Spans(fitter, _) => &fitter.method,
            State::Counts(fit) => fit.method(),
        }
    }

    fn record_part(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        x: View<'_>,
        features: Features,
        weights: Option<View<'_>>,
    ) -> Result<Recorded> {
        let reading = match &self.state {
            State::Spans(fitter, _) => Reading {
                weights,
                ..Reading::spans(fit_kernel(&fitter.method, weights.is_some(), false))
            },
            State::Counts(fit) => {
                fit.check_reads()?;
                count(&self.reader, &fit.selection)
            }
        };
        self.reader.record(encoder, x, features, reading)
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of words,
    /// [`Data`](crate::ErrorKind::Data) for infinities where they are refused,
    /// [`Parameter`](crate::ErrorKind::Parameter) for weights that are negative or not finite.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        recorded.check(words)?;
        match &mut self.state {
            State::Spans(fitter, rows) => {
                merge_spans(fitter, words, recorded.weighted)?;
                *rows += recorded.rows as u64;
            }
            State::Counts(fit) => fit.selection.absorb(words, recorded.rows as u64),
        }
        Ok(())
    }

    /// Ends a pass, in which all parts were recorded and taken in. True if all have to be once more.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) if there were no rows, infinities where they are refused, or other
    /// data than in the pass before.
    pub fn next_pass(&mut self) -> Result<bool> {
        match &mut self.state {
            State::Spans(fitter, rows) => {
                if fitter.method.passes::<f32>() > 0 {
                    check_rows(*rows)?;
                }
                Ok(false)
            }
            State::Counts(fit) => {
                let again = fit.next()?;
                if again {
                    self.reader.make_room(fit.selection.counters())?;
                }
                Ok(again)
            }
        }
    }

    /// The scaler of what was learned.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) if passes are missing.
    pub fn finish(&self) -> Result<Scaler> {
        match &self.state {
            State::Spans(fitter, _) => fitter.finish(),
            State::Counts(fit) => fit.finish(),
        }
    }
}

impl DeviceFitter {
    /// The scaler of f64 data that were [split](crate::scaler::Split) by these pivots: parameters of the data themselves.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of pivots.
    pub fn finish_split(&self, pivots: &[f64]) -> Result<Scaler> {
        self.finish()?.unsplit(pivots)
    }
}

/// The kernel of a fit in one pass. Extremes are those of the elements, of which alone a logarithm is taken after.
pub(super) fn fit_kernel(method: &Method, weighted: bool, listed: bool) -> Kernel {
    let function = match (method.core(), method.logarithm()) {
        (Method::Standard(_), Some(logarithm)) => Function::Logarithm(logarithm),
        _ => Function::None,
    };
    Kernel::Fit {
        weighted,
        function,
        listed,
    }
}

/// Counts the present digit of a selection.
pub(super) fn count<'a>(reader: &Reader, selection: &Selection<f32>) -> Reading<'a> {
    let slots = selection.slots_of_a_feature();
    let many = slots > MANY;
    let kernel = Kernel::Count {
        pass: match selection.pass() {
            pass @ 0..2 => pass as u32,
            _ => 2 + u32::from(many),
        },
        aggregate: !reader.is_software(),
    };
    // A search among the slots of a feature, one by one or by halves.
    let iterations = 2 + if many { slots.ilog2() as usize + 1 } else { slots };
    let (shift, bits) = selection.digit();
    let (table, prefixes, ends) = selection.table();
    let params = Params {
        shift,
        mask: (1 << bits) - 1,
        prefix_shift: (shift + bits).min(31),
        prefixes,
        ends,
        ..Params::default()
    };
    Reading::counts(kernel, Some(table), selection.counters(), iterations, params)
}

/// Slots of a feature that are looked through one by one.
const MANY: usize = 8;

/// Merges the results of spans into what is known.
fn merge_spans(fitter: &mut Fitter, words: &[u32], weighted: bool) -> Result<()> {
    let features = fitter.features.max(1);
    let spans = Spans::new(&fitter.method, words, features, weighted)?;
    for (i, span) in spans.iter() {
        span.merge(&mut fitter.fitted, i % features, fitter.method.logarithm());
    }
    Ok(())
}

/// The results of spans, none of which has met what is refused.
pub(super) struct Spans<'a> {
    words: &'a [[u32; WORDS]],
    weighted: bool,
}

impl<'a> Spans<'a> {
    pub fn new(method: &Method, words: &'a [u32], features: usize, weighted: bool) -> Result<Self> {
        let words = words.as_chunks::<WORDS>().0;
        let feature_that_met = |bit: u32| words.iter().position(|span| span[1] & bit != 0).map(|i| i % features);
        if feature_that_met(2).is_some() {
            bail!(
                Parameter,
                "weights",
                "hold one that is negative or not finite; a finite number of at least 0 is needed"
            );
        }
        if !matches!(method.core(), Method::FixedRange(_) | Method::UnitNorm(_)) {
            if let Some(logarithm) = method.logarithm() {
                // (Those of z-score are of logarithms.)
                let of_elements = !matches!(method.core(), Method::Standard(_));
                let none = |span: &[u32; WORDS]| span[0] > 0 && !logarithm.takes(f32::from_key(span[2]));
                let below = words.iter().position(|span| of_elements && none(span));
                logarithm.refuse_feature(feature_that_met(4).or(below.map(|i| i % features)))?;
            }
            refuse_infinity(method.infinities() == Infinities::Refuse, feature_that_met(1))?;
        }
        Ok(Self { words, weighted })
    }

    /// Those that have values, by their number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Span)> {
        let with_values = self.words.iter().enumerate().filter(|(_, span)| span[0] > 0);
        with_values.map(|(i, &words)| {
            let weighted = self.weighted;
            (i, Span { words, weighted })
        })
    }
}

/// The result of a span that has values.
pub(super) struct Span {
    words: [u32; WORDS],
    weighted: bool,
}

impl Span {
    /// The smallest and the largest element.
    pub fn extremes(&self) -> Extremes {
        Extremes {
            min: f32::from_key(self.words[2]),
            max: f32::from_key(self.words[3]),
        }
    }

    /// Count, mean and deviations; NaN if there was an infinity.
    pub fn moment(&self) -> Moment {
        let [count, met, _, _, m, e, m2, exponents] = self.words;
        let power = |half: u32| 2f64.powi(i32::from(half as u16 as i16));
        let (scale, weight_scale) = (power(exponents), power(exponents >> 16));
        let count = match self.weighted {
            true => f64::from(f32::from_bits(count)) * weight_scale,
            false => f64::from(count),
        };
        let known = |value: f64| if met == 0 { value } else { f64::NAN };
        let mean = (f64::from(f32::from_bits(m)) + f64::from(f32::from_bits(e))) * scale;
        let m2 = f64::from(f32::from_bits(m2)) * scale * scale * weight_scale;
        Moment {
            count,
            mean: known(mean),
            m2: known(m2),
        }
    }

    /// The sum; infinite if there was an infinity, NaN of both.
    pub fn sum(&self) -> Sum {
        let (moment, Extremes { min, max }) = (self.moment(), self.extremes());
        let infinite = |value: f64| if value.is_finite() { 0.0 } else { value };
        match moment.mean.is_nan() {
            true => Sum::of_mean(infinite(min) + infinite(max), moment.count),
            false => Sum::of_mean(moment.mean, moment.count),
        }
    }

    /// Adds it to what is known of a feature.
    pub fn merge(&self, fitted: &mut Fitted, feature: usize, logarithm: Option<Logarithm>) {
        match fitted {
            Fitted::Extremes(all) => {
                let Extremes { min, max } = self.extremes();
                let of = |value: f64| logarithm.map_or(value, |logarithm| logarithm.of(value));
                all[feature].merge(&Extremes {
                    min: of(min),
                    max: of(max),
                });
            }
            Fitted::Moments(all) => all[feature].merge(&self.moment()),
            Fitted::Quantiles(_) | Fitted::References(_) | Fitted::Powers(_) | Fitted::Given => {}
        }
    }
}
