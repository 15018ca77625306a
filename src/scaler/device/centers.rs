//! Robust centers on the device.

use std::collections::BTreeMap;

use super::fit::{Spans, count};
use super::reader::{Listed, Reader, Reading, Recorded, reads};
use super::shader::{Function, Kernel};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::scaler::centers::{Sum, check_blocks, check_shares, median_of};
use crate::scaler::element::Element;
use crate::scaler::features::Features;
use crate::scaler::fit::check_rows;
use crate::scaler::method::{Infinities, Method};
use crate::scaler::moments::Moment;
use crate::scaler::passes::not_again;
use crate::scaler::ranks::{Cut, Ranks};
use crate::scaler::select::{Selected, Selection};
use crate::scaler::standard::Standard;

/// Means that outliers do not carry away, of data in the caller's buffers: those of
/// [`median_of_means`](crate::scaler::median_of_means), [`trimmed_mean`](crate::scaler::trimmed_mean) and
/// [`winsorized_mean`](crate::scaler::winsorized_mean), on the device.
///
/// The data are read as a [`DeviceFitter`](crate::scaler::DeviceFitter) reads them: for a median of means once, for the
/// others four times. Which values are cut off is exact; sums are of f32, and off by some 10⁻⁷ of the deviations.
///
/// ```
/// use wgnorm::scaler::{DeviceCenters, Features};
/// use wgnorm::verify::transfer::{download, upload};
/// # pollster::block_on(async {
/// let context = wgnorm::Context::request(&Default::default()).await?;
/// let x = upload(&context, "x", &[3.0f32, 1.0, 1e9, 2.0, 4.0]);
/// let mut centers = DeviceCenters::trimmed_mean(&context, 1, (0.2, 0.2))?;
/// loop {
///     let mut encoder = context.device().create_command_encoder(&Default::default());
///     let recorded = centers.record(&mut encoder, &x, Features::whole(5))?;
///     context.queue().submit([encoder.finish()]);
///     let words: Vec<u32> = download(&context, centers.results(), 0..recorded.words).await?;
///     centers.absorb(&recorded, &words)?;
///     if !centers.next_pass()? {
///         break;
///     }
/// }
/// assert_eq!(centers.finish()?, [3.0]);
/// # Ok::<(), wgnorm::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DeviceCenters {
    reader: Reader,
    state: State,
}

reads!(DeviceCenters);

#[derive(Debug)]
enum State {
    /// Blocks of rows are summed.
    Blocks {
        blocks: usize,
        /// Rows recorded, and rows taken in.
        recorded: u64,
        rows: u64,
        /// By block, of all features.
        means: BTreeMap<u32, Vec<Sum>>,
    },
    /// The first and the last value that are kept are looked for.
    Ends(Cut, bool, Box<Selection<f32>>),
    /// What is between them is summed.
    Between(Vec<Kept>, Vec<Moment>),
    Done(Vec<f64>),
}

/// What is known of a feature whose ends are known.
#[derive(Debug)]
struct Kept {
    low: f64,
    high: f64,
    /// Values from the low to the high end, as they are kept, and those of them that are the high end.
    count: u64,
    highs: u64,
    /// Those beyond each end that count as it.
    replaced: (u64, u64),
}

impl Kept {
    /// The mean, given what is known of the values between the ends.
    fn mean(&self, between: &Moment) -> f64 {
        // Equal ends are each other's, and all there is.
        if self.low == self.high || self.low.is_nan() {
            return self.low;
        }
        let lows = self.count as f64 - between.count - self.highs as f64 + self.replaced.0 as f64;
        let highs = (self.highs + self.replaced.1) as f64;
        let times = |end: f64, times: f64| if times > 0.0 { end * times } else { 0.0 };
        let sum = between.mean * between.count + times(self.low, lows) + times(self.high, highs);
        sum / (between.count + lows + highs)
    }
}

impl DeviceCenters {
    /// The median of the means of so many blocks of rows: row i, of all parts in the order in which they are recorded, is
    /// in block i modulo `blocks`.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for no blocks (and for more than rows, once those are
    /// known), [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features.
    pub fn median_of_means(context: &Context, features: usize, blocks: usize) -> Result<Self> {
        check_blocks(blocks, u64::from(u32::MAX))?;
        let state = State::Blocks {
            blocks,
            recorded: 0,
            rows: 0,
            means: BTreeMap::new(),
        };
        Self::new(context, features, Reader::words_of_spans(features), state)
    }

    /// The mean without the smallest and the largest values, a share of each from 0 to below 0.5.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for a share outside of 0 to below 0.5,
    /// [`Limit`](crate::ErrorKind::Limit) if the device binds too little for so many features.
    pub fn trimmed_mean(context: &Context, features: usize, shares: (f64, f64)) -> Result<Self> {
        Self::cut(context, features, check_shares(shares)?, false)
    }

    /// The mean with the smallest and the largest values replaced by the next ones, a share of each from 0 to below 0.5.
    ///
    /// # Errors
    /// As [`trimmed_mean`](Self::trimmed_mean).
    pub fn winsorized_mean(context: &Context, features: usize, shares: (f64, f64)) -> Result<Self> {
        Self::cut(context, features, check_shares(shares)?, true)
    }

    fn cut(context: &Context, features: usize, cut: Cut, replaces: bool) -> Result<Self> {
        let selection = Selection::new(features, Ranks::Kept(cut));
        let words = selection.counters().max(Reader::words_of_spans(features));
        Self::new(
            context,
            features,
            words,
            State::Ends(cut, replaces, Box::new(selection)),
        )
    }

    fn new(context: &Context, features: usize, words: usize, state: State) -> Result<Self> {
        let reader = Reader::new(context, features, words)?;
        Ok(Self { reader, state })
    }

    /// Records what a part of the data takes, which overwrites the results.
    ///
    /// # Errors
    /// As [`DeviceFitter::record`](crate::scaler::DeviceFitter::record), and
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) after the last pass.
    pub fn record<'a>(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        x: impl Into<View<'a>>,
        features: Features,
    ) -> Result<Recorded> {
        let spans = |function, listed| {
            Reading::spans(Kernel::Fit {
                weighted: false,
                function,
                listed,
            })
        };
        let (reader, rows) = (&mut self.reader, features.rows() as u64);
        let reading = match &self.state {
            State::Blocks { blocks, recorded, .. } => {
                let keys: Vec<u32> = (*recorded..recorded + rows)
                    .map(|row| (row % *blocks as u64) as u32)
                    .collect();
                let rows = Listed::new(&keys, reader.features);
                reader.make_room(reader.words_of(&rows))?;
                Reading {
                    rows: Some(rows),
                    ..spans(Function::None, true)
                }
            }
            State::Ends(.., selection) => count(reader, selection),
            State::Between(kept, _) => Reading {
                table: Some(
                    kept.iter()
                        .flat_map(|kept| [kept.low, kept.high].map(|end| (end as f32).key()))
                        .collect(),
                ),
                ..spans(Function::Between, false)
            },
            State::Done(_) => return not_again(),
        };
        let found = self.reader.record(encoder, x.into(), features, reading)?;
        if let State::Blocks { recorded, .. } = &mut self.state {
            *recorded += rows;
        }
        Ok(found)
    }

    /// Takes in the results of a part: the first `recorded.words` words.
    ///
    /// # Errors
    /// [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of words.
    pub fn absorb(&mut self, recorded: &Recorded, words: &[u32]) -> Result<()> {
        recorded.check(words)?;
        let features = self.reader.features.max(1);
        let method = Method::from(Standard::new().infinities(Infinities::Keep));
        match &mut self.state {
            State::Blocks { rows, means, .. } => {
                *rows += recorded.rows as u64;
                for (i, span) in Spans::new(&method, words, features, false)?.iter() {
                    let block = means.entry(recorded.keys[i / features]);
                    block.or_insert_with(|| vec![Sum::default(); features])[i % features].merge(&span.sum());
                }
            }
            State::Ends(.., selection) => selection.absorb(words, recorded.rows as u64),
            State::Between(_, sums) => {
                for (i, span) in Spans::new(&method, words, features, false)?.iter() {
                    sums[i % features].merge(&span.moment());
                }
            }
            State::Done(_) => {}
        }
        Ok(())
    }

    /// Ends a pass, in which all parts were recorded and taken in. True if all have to be once more.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) if there were no rows, or other data than in the pass before,
    /// [`Parameter`](crate::ErrorKind::Parameter) for more blocks than rows.
    pub fn next_pass(&mut self) -> Result<bool> {
        let features = self.reader.features;
        let next = match &mut self.state {
            State::Blocks {
                blocks, rows, means, ..
            } => {
                check_rows(*rows)?;
                check_blocks(*blocks, *rows)?;
                let of_feature =
                    |feature: usize| median_of(means.values().filter_map(move |means| means[feature].mean()));
                State::Done((0..features).map(of_feature).collect())
            }
            State::Ends(cut, replaces, selection) => {
                let again = selection.next()?;
                check_rows(selection.rows())?;
                if again {
                    self.reader.make_room(selection.counters())?;
                    return Ok(true);
                }
                State::Between(kept(*cut, *replaces, selection), vec![Moment::default(); features])
            }
            State::Between(kept, sums) => State::Done(
                kept.iter()
                    .zip(sums.iter())
                    .map(|(kept, sums)| kept.mean(sums))
                    .collect(),
            ),
            State::Done(_) => return Ok(false),
        };
        self.state = next;
        Ok(!matches!(self.state, State::Done(_)))
    }

    /// The centers of all features; NaN of no value.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) if passes are missing.
    pub fn finish(&self) -> Result<Vec<f64>> {
        match &self.state {
            State::Done(centers) => Ok(centers.clone()),
            _ => bail!(OnePass, "centers", "need all their passes over the data"),
        }
    }
}

/// What is kept of every feature.
fn kept(cut: Cut, replaces: bool, selection: &Selection<f32>) -> Vec<Kept> {
    let of_feature = |(feature, selected): (usize, Selected)| {
        let kept = cut.kept(selected.count);
        let replaced = (kept.start, selected.count - kept.end);
        Kept {
            low: selected.value(kept.start),
            high: selected.value(kept.end.saturating_sub(1)),
            count: kept.end - kept.start,
            highs: selection.equals_below_last(feature) + 1,
            replaced: if replaces { replaced } else { (0, 0) },
        }
    };
    selection.finish().into_iter().enumerate().map(of_feature).collect()
}
