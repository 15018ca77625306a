//! Fits on the device.

use super::{Bind, TRIPS, bound, check_indices, not_on_device, row_digits};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::device::shader::{Header, Input, Kernel, OUTPUT, Params, TABLE, X};
use crate::scaler::element::{Element, Key};
use crate::scaler::extremes::Extremes;
use crate::scaler::features::Features;
use crate::scaler::fit::{Fitter, check_rows, refuse_infinity};
use crate::scaler::method::{Infinities, Method};
use crate::scaler::moments::Moment;
use crate::scaler::parameters::{Fitted, Scaler};
use crate::scaler::passes::OrderFit;

/// Words of a span's result.
const WORDS: usize = 8;
/// Spans of all features, at most: they are read back.
const SPANS: usize = 1 << 15;
/// Rows of a span, at least, if that many spans hold them.
const ROWS: usize = 256;

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
    context: Context,
    features: usize,
    state: State,
    results: wgpu::Buffer,
    input: Input,
}

#[derive(Debug)]
enum State {
    /// One pass: spans are merged.
    Spans(Fitter, u64),
    /// Digits are counted.
    Counts(Box<OrderFit<f32>>),
}

/// What a part that was recorded will leave in the results.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "what was recorded has to be taken in"]
pub struct Recorded {
    /// How many words, from the first on.
    pub words: usize,
    rows: usize,
    weighted: bool,
}

impl Method {
    /// A fit of f32 data on a device, or of [u8](DeviceFitter::of_u8).
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings and for what is fitted on the CPU alone
    /// (quantile and power transforms, logarithms), and [`Limit`](crate::ErrorKind::Limit) if the device binds too
    /// little for so many features.
    pub fn device_fitter(&self, context: &Context, features: usize) -> Result<DeviceFitter> {
        self.check(features)?;
        let state = match self {
            Self::Robust(_) => State::Counts(Box::new(OrderFit::new(self.clone(), features)?)),
            Self::Quantile(_) | Self::Power(_) | Self::LogFirst(_) => return not_on_device(self),
            _ => State::Spans(self.fitter(features)?, 0),
        };
        let words = match &state {
            State::Spans(..) => features.max(SPANS) * WORDS,
            State::Counts(fit) => fit.selection.counters(),
        };
        DeviceFitter::new(context, features, state, words)
    }
}

impl DeviceFitter {
    fn new(context: &Context, features: usize, state: State, words: usize) -> Result<Self> {
        // One counter more is nobody's.
        let bytes = (words as u64 + 1).next_multiple_of(4) * 4;
        let most = context.traits().binding_size;
        if bytes > most {
            bail!(
                Limit,
                "features",
                "are {features}, whose results take {bytes} bytes; the device binds {most}"
            );
        }
        let results = context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("wgnorm scaler results"),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self {
            context: context.clone(),
            features,
            state,
            results,
            input: Input::F32,
        })
    }

    /// Data are u8, four to a word of their buffers.
    pub fn of_u8(mut self) -> Self {
        self.input = Input::U8;
        self
    }

    /// Where results are left. It may be another buffer in the next pass.
    pub fn results(&self) -> &wgpu::Buffer {
        &self.results
    }

    /// Records what a part of the data takes, which overwrites the results.
    ///
    /// # Errors
    /// Before anything is recorded: [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of features,
    /// [`Usage`](crate::ErrorKind::Usage) and [`Size`](crate::ErrorKind::Size) for the buffer,
    /// [`Limit`](crate::ErrorKind::Limit) for more than a binding holds.
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
        features.expect("x", self.features)?;
        check_indices(&features, "x")?;
        let (x, x_offset) = Bind::view(&self.context, "x", X, x, features.span(), self.input)?;
        let rows = features.rows();
        let weights = weights
            .map(|view| Bind::view(&self.context, "weights", TABLE, view, rows, Input::F32))
            .transpose()?;
        let weighted = weights.is_some();
        if features.elements() == 0 {
            return Ok(Recorded {
                words: 0,
                rows,
                weighted,
            });
        }
        let (inner, x_outer, x_inner, one_row_digit) = row_digits(&features);
        let (words, slots, kernel) = match &self.state {
            State::Spans(..) => (0, 1, Kernel::Fit { weighted }),
            State::Counts(robust) => {
                let selection = &robust.selection;
                let kernel = Kernel::Count {
                    pass: selection.pass().min(2) as u32,
                    aggregate: !self.context.traits().software,
                };
                (selection.counters(), selection.slots_of_a_feature(), kernel)
            }
        };
        // Three reads, or a search among the slots of a feature.
        let most = TRIPS / (slots + 3);
        let wanted = rows.div_ceil(ROWS).min((SPANS / self.features).max(1));
        let spans = wanted.max(rows.div_ceil(most));
        let span_rows = rows.div_ceil(spans);
        let spans = rows.div_ceil(span_rows);
        let software = self.context.traits().software;
        let words = match kernel {
            Kernel::Fit { .. } => spans * self.features * WORDS,
            _ => words,
        };
        if (words as u64 + 1) * 4 > self.results.size() {
            bail!(
                Limit,
                "x",
                "has {rows} rows of {} features; fit it in parts",
                self.features
            );
        }
        let header = Header {
            kernel,
            features_innermost: features.feature.stride <= x_inner as usize || software,
            one_row_digit,
            input: self.input,
        };
        let mut params = Params {
            rows: rows as u32,
            features: self.features as u32,
            inner,
            x_offset,
            x_outer,
            x_feature: features.feature.stride as u32,
            x_inner,
            spans: spans as u32,
            // A processor likes neighbours one after the other, a GPU side by side. (One span is both.)
            span_first: if software || spans == 1 { span_rows as u32 } else { 1 },
            span_step: if software { 1 } else { spans as u32 },
            ..Params::default()
        };
        let mut binds = vec![x, Bind::whole(OUTPUT, &self.results)];
        if let Some((weights, offset)) = weights {
            params.w_offset = offset;
            binds.push(weights);
        }
        let table;
        if let State::Counts(robust) = &self.state {
            let (shift, bits) = <f32 as Element>::Key::DIGITS[robust.selection.pass()];
            params.shift = shift;
            params.mask = (1 << bits) - 1;
            params.counters = words as u32;
            params.prefix_shift = (shift + bits).min(31);
            let words;
            (words, params.prefixes, params.ends) = robust.selection.table();
            table = wgpu::util::DeviceExt::create_buffer_init(
                self.context.device(),
                &wgpu::util::BufferInitDescriptor {
                    label: Some("wgnorm scaler prefixes"),
                    contents: bytemuck::cast_slice(&words),
                    usage: wgpu::BufferUsages::STORAGE,
                },
            );
            binds.push(Bind::whole(TABLE, &table));
        }
        let bound = bound(&self.context, &header, &params, (spans * self.features) as u64, &binds)?;
        if let State::Counts(_) = self.state {
            encoder.clear_buffer(&self.results, 0, None);
        }
        bound.record(encoder);
        Ok(Recorded { words, rows, weighted })
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of words,
    /// [`Data`](crate::ErrorKind::Data) for infinities where they are refused,
    /// [`Parameter`](crate::ErrorKind::Parameter) for weights that are negative or not finite.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        if words.len() != recorded.words {
            bail!(Size, "words", "are {}, {} were recorded", words.len(), recorded.words);
        }
        match &mut self.state {
            State::Spans(fitter, rows) => {
                merge_spans(fitter, words, recorded.weighted)?;
                *rows += recorded.rows as u64;
            }
            State::Counts(robust) => robust.selection.absorb(words, recorded.rows as u64),
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
            State::Counts(robust) => {
                let again = robust.next()?;
                let words = robust.selection.counters();
                if again && (words as u64 + 1) * 4 > self.results.size() {
                    let results = Self::new(&self.context, self.features, State::Counts(robust.clone()), words)?;
                    self.results = results.results;
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
            State::Counts(robust) => robust.finish(),
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

/// Merges the results of spans into what is known.
fn merge_spans(fitter: &mut Fitter, words: &[u32], weighted: bool) -> Result<()> {
    let features = fitter.features.max(1);
    let refuse = fitter.method.infinities() == Infinities::Refuse;
    let spans = words.as_chunks::<WORDS>().0;
    if spans.iter().any(|span| span[1] & 2 != 0) {
        bail!(
            Parameter,
            "weights",
            "hold one that is negative or not finite; a finite number of at least 0 is needed"
        );
    }
    let infinite = spans.iter().position(|span| span[1] != 0).map(|i| i % features);
    refuse_infinity(refuse, infinite.filter(|_| !matches!(fitter.fitted, Fitted::Given)))?;
    for (i, &[count, infinite, low, high, m, e, m2, exponents]) in
        spans.iter().enumerate().filter(|(_, span)| span[0] > 0)
    {
        let feature = i % features;
        match &mut fitter.fitted {
            Fitted::Extremes(all) => all[feature].merge(&Extremes {
                min: f32::from_key(low),
                max: f32::from_key(high),
            }),
            Fitted::Moments(all) => {
                let power = |half: u32| 2f64.powi(i32::from(half as u16 as i16));
                let (scale, weight_scale) = (power(exponents), power(exponents >> 16));
                let count = match weighted {
                    true => f64::from(f32::from_bits(count)) * weight_scale,
                    false => f64::from(count),
                };
                let mean = (f64::from(f32::from_bits(m)) + f64::from(f32::from_bits(e))) * scale;
                let known = infinite == 0;
                all[feature].merge(&Moment {
                    count,
                    mean: if known { mean } else { f64::NAN },
                    m2: if known {
                        f64::from(f32::from_bits(m2)) * scale * scale * weight_scale
                    } else {
                        f64::NAN
                    },
                });
            }
            Fitted::Quantiles(_) | Fitted::References(_) | Fitted::Powers(_) | Fitted::Given => {}
        }
    }
    Ok(())
}
