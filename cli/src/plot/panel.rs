//! What a histogram shows: counts, quantiles, how much is missing.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_cast::cast;
use arrow_schema::DataType;
use serde::Serialize;
use wgnorm::scaler::{Edges, Features, Histogram, Interpolation, histogram, quantiles};

use crate::failure::Result;
use crate::progress::Progress;
use crate::scaling::Application;
use crate::table::{Table, Want};

/// Values of a column that are kept.
const KEPT: usize = 1 << 22;
/// The quantiles that are marked.
pub const MARKS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// The axis ends so many times the distance of the quartiles beyond them: what is further is "far out" (Tukey 1977).
const FENCE: f64 = 3.0;
/// The most bars, where their number is not given.
const BARS: f64 = 60.0;

/// A histogram of a column.
#[derive(Debug, Serialize)]
pub struct Panel {
    pub column: String,
    pub state: String,
    /// Rows of the table, and those of them that have no value.
    pub rows: u64,
    pub missing: u64,
    /// One of so many values is shown.
    pub every: u64,
    /// Shown values that lie beyond the axis.
    pub beyond: u64,
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
    /// Those of [`MARKS`].
    pub quantiles: Vec<f64>,
}

/// The values of a column, or of every second, every fourth, ... row.
#[derive(Debug)]
struct Sample {
    values: Vec<f64>,
    every: u64,
    rows: u64,
    missing: u64,
}

impl Sample {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            every: 1,
            rows: 0,
            missing: 0,
        }
    }

    fn push(&mut self, value: f64) {
        self.missing += u64::from(value.is_nan());
        if self.rows.is_multiple_of(self.every) {
            if self.values.len() == KEPT {
                let mut place = 0;
                self.values.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.every *= 2;
            }
            if self.rows.is_multiple_of(self.every) {
                self.values.push(value);
            }
        }
        self.rows += 1;
    }
}

/// The panels of columns as they are, or as parameters make them.
pub fn panels(
    table: &dyn Table,
    columns: &[usize],
    mut application: Option<Application<'_>>,
    bins: Option<usize>,
    label: impl Fn(usize) -> String,
) -> Result<Vec<Panel>> {
    let mut wants = vec![Want::Nothing; table.columns().len()];
    if let Some(application) = &application {
        wants = application.wants();
    }
    for &column in columns {
        wants[column] = Want::Numbers;
    }
    let mut samples: Vec<Sample> = columns.iter().map(|_| Sample::new()).collect();
    let mut progress = Progress::new(table.path().display().to_string(), table.bytes());
    for chunk in table.read_ahead(&wants, &progress.read)? {
        let chunk = chunk?;
        let arrays = match &mut application {
            Some(application) => application.apply(&chunk)?.into_iter().map(Some).collect(),
            None => chunk.columns,
        };
        for (&column, sample) in columns.iter().zip(&mut samples) {
            let Some(array) = &arrays[column] else { continue };
            let array = cast(array, &DataType::Float64).map_err(|error| table.failure(error.to_string()))?;
            let values = array.as_primitive::<Float64Type>().iter();
            values.for_each(|value| sample.push(value.unwrap_or(f64::NAN)));
        }
        progress.advance(chunk.rows);
    }
    if progress.rows() == 0 {
        return Err(table.failure("has no rows"));
    }
    let panel =
        |(&column, sample): (&usize, &Sample)| panel(sample, bins, table.columns()[column].name.clone(), label(column));
    columns.iter().zip(&samples).map(panel).collect()
}

fn panel(sample: &Sample, bins: Option<usize>, column: String, state: String) -> Result<Panel> {
    let values = &sample.values;
    let features = Features::whole(values.len());
    let wanted = [&MARKS[..], &[0.0, 1.0]].concat();
    let found = quantiles(values, features, &wanted, Interpolation::Linear)?.concat();
    let (marks, ends) = found.split_at(MARKS.len());
    let (from, to) = axis((marks[1], marks[3]), (ends[0], ends[1]));
    // Rice's rule: twice the cube root.
    let usual = (2.0 * (values.len() as f64).cbrt()).ceil().clamp(2.0, BARS);
    let bins = bins.unwrap_or(usual as usize);
    let step = (to - from) / bins as f64;
    let edges: Vec<f64> = (0..bins).map(|i| from + step * i as f64).chain([to]).collect();
    let counted = histogram(values, features, Edges::Given(&edges))?.pop();
    let Histogram {
        counts, below, above, ..
    } = counted.unwrap_or(Histogram {
        counts: Vec::new(),
        edges: Vec::new(),
        below: 0,
        above: 0,
        missing: 0,
    });
    Ok(Panel {
        column,
        state,
        rows: sample.rows,
        missing: sample.missing,
        every: sample.every,
        beyond: below + above,
        edges,
        counts,
        quantiles: marks.to_vec(),
    })
}

/// The axis, of the quartiles and of the smallest and the largest value: all values, but for those that are far out.
fn axis((lower, upper): (f64, f64), (min, max): (f64, f64)) -> (f64, f64) {
    if !(lower.is_finite() && upper.is_finite()) {
        return (0.0, 1.0);
    }
    let fence = FENCE * (upper - lower);
    let (mut from, mut to) = match fence > 0.0 {
        true => (min.max(lower - fence), max.min(upper + fence)),
        // More than half of the values are equal.
        false => (min.max(f64::MIN), max.min(f64::MAX)),
    };
    // A constant is in the middle of something.
    let least = 1e-9 * from.abs().max(to.abs()).max(1e-300);
    if to - from <= least {
        let half = if from == 0.0 { 0.5 } else { 0.5 * from.abs() };
        (from, to) = (from - half, to + half);
    }
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_leave_outliers_out() {
        assert_eq!(axis((1.0, 9.0), (0.0, 10.0)), (0.0, 10.0));
        assert_eq!(axis((0.0, 10.0), (0.0, 1e9)), (0.0, 40.0));
        assert_eq!(axis((4.0, 4.0), (4.0, 4.0)), (2.0, 6.0));
        assert_eq!(axis((f64::NAN, f64::NAN), (f64::NAN, f64::NAN)), (0.0, 1.0));
    }

    #[test]
    fn samples_are_every_so_many_rows() {
        let mut sample = Sample::new();
        (0..KEPT * 2 + 8).for_each(|i| sample.push(i as f64));
        assert_eq!((sample.every, sample.rows), (4, KEPT as u64 * 2 + 8));
        assert!(
            sample
                .values
                .iter()
                .enumerate()
                .all(|(i, &value)| value == 4.0 * i as f64)
        );
        assert_eq!(sample.values.len(), KEPT / 2 + 2);
    }

    #[test]
    fn what_is_missing_or_far_off_is_counted() {
        let mut sample = Sample::new();
        (0..1000).for_each(|i| sample.push(f64::from(i % 100)));
        [f64::NAN, 1e9, f64::NAN]
            .into_iter()
            .for_each(|value| sample.push(value));
        let panel = panel(&sample, Some(10), "x".into(), "as it is".into()).unwrap();
        assert_eq!((panel.rows, panel.missing, panel.beyond), (1003, 2, 1));
        assert_eq!(panel.counts.iter().sum::<u64>(), 1000);
        assert_eq!(panel.quantiles.len(), MARKS.len());
    }
}
