//! Histograms on the device.

use super::fit::Spans;
use super::reader::{Reader, Reading, Recorded, reads};
use super::shader::{Function, Kernel, Params};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::element::Element;
use crate::scaler::extremes::Extremes;
use crate::scaler::features::Features;
use crate::scaler::histogram::{Edges, Histogram};
use crate::scaler::method::Method;
use crate::scaler::minmax::MinMax;
use crate::scaler::passes::not_again;

/// Histograms of data in the caller's buffers: [`histogram`](crate::scaler::histogram()), on the device, the same counts.
///
/// The data are read once, or, if bins are between the extremes, twice; each time in one part or in many: as a
/// [`DeviceFitter`](crate::scaler::DeviceFitter) reads them.
///
/// ```
/// use wgnorm::scaler::{DeviceHistogram, Edges, Features};
/// use wgnorm::verify::transfer::{download, upload};
/// # pollster::block_on(async {
/// let context = wgnorm::Context::request(&Default::default()).await?;
/// let x = upload(&context, "x", &[1.0f32, 2.0, f32::NAN, 4.0, 5.0]);
/// let mut histogram = DeviceHistogram::new(&context, 1, Edges::Count(2))?;
/// loop {
///     let mut encoder = context.device().create_command_encoder(&Default::default());
///     let recorded = histogram.record(&mut encoder, &x, Features::whole(5))?;
///     context.queue().submit([encoder.finish()]);
///     let words: Vec<u32> = download(&context, histogram.results(), 0..recorded.words).await?;
///     histogram.absorb(&recorded, &words)?;
///     if !histogram.next_pass()? {
///         break;
///     }
/// }
/// let found = histogram.finish()?;
/// assert_eq!((&found[0].edges[..], &found[0].counts[..]), (&[1.0, 3.0, 5.0][..], &[2, 2][..]));
/// # Ok::<(), wgnorm::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DeviceHistogram {
    reader: Reader,
    state: State,
}

reads!(DeviceHistogram);

#[derive(Debug)]
enum State {
    /// So many bins: the finite extremes are looked for.
    Ranges(usize, Vec<Extremes>),
    Counts(Vec<Histogram>),
    Done(Vec<Histogram>),
}

impl DeviceHistogram {
    /// Histograms of so many features.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for no bins, or edges that do not increase or are not
    /// finite, [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features and bins.
    pub fn new(context: &Context, features: usize, edges: Edges<'_>) -> Result<Self> {
        edges.check()?;
        let bins = edges.bins();
        let counters = features.saturating_mul(bins.saturating_add(3));
        let (state, words) = match edges {
            Edges::Count(bins) => {
                let words = Reader::words_of_spans(features).max(counters);
                (State::Ranges(bins, vec![Extremes::NONE; features]), words)
            }
            Edges::Given(edges) => (
                State::Counts(vec![Histogram::empty(edges.to_vec()); features]),
                counters,
            ),
        };
        Ok(Self {
            reader: Reader::new(context, features, words)?,
            state,
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
        let reading = match &self.state {
            State::Ranges(..) => Reading::spans(Kernel::Fit {
                weighted: false,
                function: Function::Finite,
                listed: false,
            }),
            State::Counts(histograms) => {
                let bins = histograms.first().map_or(1, |histogram| histogram.counts.len());
                let kernel = Kernel::Histogram {
                    aggregate: !self.reader.is_software(),
                };
                let table = histograms.iter().flat_map(first_keys).collect();
                let params = Params {
                    edges: bins as u32 + 1,
                    ..Params::default()
                };
                let counters = histograms.len() * (bins + 3);
                Reading::counts(kernel, Some(table), counters, bins.ilog2() as usize + 3, params)
            }
            State::Done(_) => return not_again(),
        };
        self.reader.record(encoder, x.into(), features, reading)
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of words.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        recorded.check(words)?;
        match &mut self.state {
            State::Ranges(_, ranges) => {
                let features = ranges.len().max(1);
                let extremes = Method::from(MinMax::new());
                for (i, span) in Spans::new(&extremes, words, features, false)?.iter() {
                    ranges[i % features].merge(&span.extremes());
                }
            }
            State::Counts(histograms) => {
                let of_feature = words.chunks(words.len().checked_div(histograms.len()).unwrap_or(0).max(1));
                for (histogram, words) in histograms.iter_mut().zip(of_feature) {
                    let bins = histogram.counts.len();
                    histogram.below += u64::from(words[0]);
                    histogram.above += u64::from(words[bins + 1]);
                    histogram.missing += u64::from(words[bins + 2]);
                    for (sum, &count) in histogram.counts.iter_mut().zip(&words[1..]) {
                        *sum += u64::from(count);
                    }
                }
            }
            State::Done(_) => {}
        }
        Ok(())
    }

    /// Ends a pass, in which all parts were recorded and taken in. True if all have to be once more.
    ///
    /// # Errors
    /// None today.
    pub fn next_pass(&mut self) -> Result<bool> {
        let state = std::mem::replace(&mut self.state, State::Done(Vec::new()));
        self.state = match state {
            State::Ranges(bins, ranges) => {
                let of_range = |range: &Extremes| Histogram::equal(range.values(), bins);
                State::Counts(ranges.iter().map(of_range).collect())
            }
            State::Counts(histograms) | State::Done(histograms) => State::Done(histograms),
        };
        Ok(matches!(self.state, State::Counts(_)))
    }

    /// The histograms of all features.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) if passes are missing.
    pub fn finish(&self) -> Result<Vec<Histogram>> {
        match &self.state {
            State::Done(histograms) => Ok(histograms.clone()),
            _ => bail!(OnePass, "histogram", "needs all its passes over the data"),
        }
    }
}

/// The keys of the first f32 of every bin, and of the first beyond the last.
fn first_keys(histogram: &Histogram) -> Vec<u32> {
    let (last, edges) = histogram.edges.split_last().unwrap_or((&f64::NAN, &[]));
    if last.is_nan() {
        // Of no finite value: what there is lies beyond all edges.
        return vec![0f32.key(); histogram.edges.len()];
    }
    let first = edges.iter().map(|&edge| key_from(edge, |x| x >= edge));
    first.chain([key_from(*last, |x| x > *last)]).collect()
}

/// The key of the first f32 of which something is true, which is next to an edge.
fn key_from(edge: f64, is_true: impl Fn(f64) -> bool) -> u32 {
    let near = edge as f32;
    let found = [near.next_down(), near, near.next_up()]
        .into_iter()
        .find(|&x| is_true(x.into()));
    // (Beyond the largest f32 there is nothing but infinity.)
    found.unwrap_or(f32::INFINITY).key()
}
