//! Fitting the columns of a table, in chunks: all scalers share each reading.

use wgnorm::scaler::Method;

use super::assign::Part;
use super::batch::{Keys, Matrix, numbers};
use super::gpu::Gpu;
use super::learner::Learner;
use super::parameters::{ColumnRecord, Fitted, Parameters, PartParameters, Scalers};
use crate::console::note;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::table::{Chunk, Table, Want};

/// Numbers that are kept in memory, so that order statistics need not read the file again: 256 MB.
const KEPT: usize = 1 << 25;
/// Bytes of counts that order statistics may take.
const MOST_COUNTS: usize = 400 << 20;

/// What is fitted of a table.
pub struct Fit<'a> {
    pub parts: Vec<Part>,
    /// The column whose values have parameters of their own.
    pub by: Option<usize>,
    pub weight: Option<usize>,
    /// What computes columns of f32, if it is not the CPU.
    pub gpu: Option<&'a Gpu>,
}

impl<'a> Fit<'a> {
    fn wants(&self, table: &dyn Table) -> Vec<Want> {
        let mut wants = vec![Want::Nothing; table.columns().len()];
        let columns = self.parts.iter().flat_map(|part| &part.columns).chain(&self.weight);
        columns.for_each(|&column| wants[column] = Want::Numbers);
        if let Some(by) = self.by {
            wants[by] = Want::AsIs;
        }
        wants
    }

    fn check(&self, table: &dyn Table) -> Result<()> {
        let names = |part: &Part| -> Vec<&str> {
            part.columns
                .iter()
                .map(|&column| table.columns()[column].name.as_str())
                .collect()
        };
        for part in &self.parts {
            let takes_weights = matches!(part.scale.method, Method::Standard(_)) || !learns(part);
            if self.weight.is_some() && !takes_weights {
                return Err(table.failure(format!(
                    "--weight is for zscore: {}, of {}, has no weights",
                    part.scale,
                    names(part).join(", ")
                )));
            }
            for (use_, other) in [("--by", self.by), ("--weight", self.weight)] {
                if let Some(other) = other.filter(|other| part.columns.contains(other)) {
                    let name = &table.columns()[other].name;
                    return Err(table.failure(format!("column {name:?} is scaled and given to {use_} as well")));
                }
            }
        }
        Ok(())
    }

    /// The GPU, if it takes a part: of f32, without weights, which are f64.
    fn gpu_of(&self, table: &dyn Table, part: &Part) -> Option<&'a Gpu> {
        let takes = |_: &&Gpu| {
            let fits = Gpu::fits(table, &part.scale, &part.columns, self.by.is_some());
            self.weight.is_none() && learns(part) && fits
        };
        self.gpu.filter(takes)
    }
}

/// Whether the data decide how a part is scaled.
fn learns(part: &Part) -> bool {
    part.scale.method.passes::<f64>() > 0
}

/// What order statistics of a column hold, for each key: counts of the digits of as many values as are wanted.
fn bytes_of_counts(part: &Part) -> usize {
    match part.scale.method {
        Method::Robust(_) => 50 << 10,
        Method::Quantile(_) => 3 << 20,
        _ => 0,
    }
}

/// A part that is being fitted.
struct Fitting<'a> {
    part: &'a Part,
    gpu: bool,
    learner: Learner<'a>,
    missing: Vec<u64>,
}

impl Fitting<'_> {
    /// How often it needs its numbers, at most.
    fn passes(&self) -> usize {
        Learner::passes(&self.part.scale.method, self.gpu)
    }
}

/// What some rows give to the parts that need them.
struct Batch {
    matrices: Vec<Option<Matrix>>,
    /// The number of the key of every row.
    keys: Option<Vec<u32>>,
    weights: Option<Vec<f64>>,
}

/// Fits a table.
pub fn fit(table: &dyn Table, fit: &Fit<'_>) -> Result<Parameters> {
    fit.check(table)?;
    let mut run = Run::new(table, fit)?;
    while run.fittings.iter().any(|fitting| fitting.learner.reads) {
        run.pass()?;
    }
    run.finish()
}

/// A fit in progress.
struct Run<'a> {
    table: &'a dyn Table,
    fit: &'a Fit<'a>,
    fittings: Vec<Fitting<'a>>,
    keys: Keys,
    kept: Kept,
    rows: u64,
    passes: usize,
    /// Passes that read the file.
    readings: usize,
    /// The most passes that a part takes.
    most: usize,
}

impl<'a> Run<'a> {
    fn new(table: &'a dyn Table, fit: &'a Fit<'a>) -> Result<Self> {
        let fitting = |part: &'a Part| {
            let (columns, gpu) = (part.columns.len(), fit.gpu_of(table, part));
            let learner = Learner::new(&part.scale.method, columns, fit.by.is_some(), gpu);
            Ok(Fitting {
                part,
                gpu: gpu.is_some(),
                learner: learner.map_err(|error| refusal(table, part, &error))?,
                missing: vec![0; columns],
            })
        };
        let fittings: Vec<_> = fit.parts.iter().map(fitting).collect::<Result<_>>()?;
        let most = fittings.iter().map(Fitting::passes).max().unwrap_or(0).max(1);
        Ok(Self {
            table,
            fit,
            fittings,
            keys: Keys::default(),
            kept: Kept::new(most > 1),
            rows: 0,
            passes: 0,
            readings: 0,
            most,
        })
    }

    /// Gives all rows to the parts that need them, from memory if they are there.
    fn pass(&mut self) -> Result<()> {
        self.passes += 1;
        match self.kept.batches().filter(|_| self.passes > 1) {
            Some(batches) => {
                for batch in batches {
                    absorb(self.table, &mut self.fittings, batch)?;
                }
            }
            None => self.read()?,
        }
        if self.rows == 0 {
            return Err(self.table.failure("has no rows, there is nothing to learn from"));
        }
        for fitting in &mut self.fittings {
            let ended = fitting.learner.next_pass();
            ended.map_err(|error| refusal(self.table, fitting.part, &error))?;
        }
        Ok(())
    }

    /// A pass over the file.
    fn read(&mut self) -> Result<()> {
        let (table, first) = (self.table, self.passes == 1);
        self.readings += 1;
        let label = match self.most {
            1 => self.file_name(),
            most => format!(
                "{}, reading {} of {}{most}",
                self.file_name(),
                self.readings,
                self.at_most()
            ),
        };
        let mut progress = Progress::new(label, table.bytes());
        for chunk in table.read_ahead(&self.fit.wants(table), &progress.read)? {
            let chunk = chunk?;
            let batch = take(table, self.fit, &self.fittings, &mut self.keys, &chunk, first)?;
            self.check_counts()?;
            if first {
                count_missing(&mut self.fittings, &batch);
            }
            absorb(table, &mut self.fittings, &batch)?;
            progress.advance(chunk.rows);
            if first && self.kept.keep(batch, &self.fittings) {
                self.tell_readings();
            }
        }
        if first {
            self.rows = progress.rows();
        }
        Ok(())
    }

    /// Refuses more keys than there is memory for the counts of.
    fn check_counts(&self) -> Result<()> {
        let keys = if self.fit.by.is_some() { self.keys.len() } else { 1 };
        let bytes = |fitting: &Fitting<'_>| {
            let columns = fitting.part.columns.len() * keys;
            columns.saturating_mul(bytes_of_counts(fitting.part))
        };
        let bytes: usize = self.fittings.iter().map(bytes).fold(0, usize::saturating_add);
        if bytes > MOST_COUNTS {
            return Err(self.table.failure(format!(
                "the order statistics of these columns{} would need {} MB, more than {}",
                if self.fit.by.is_some() { ", for each key," } else { "" },
                bytes >> 20,
                MOST_COUNTS >> 20
            )));
        }
        Ok(())
    }

    /// Searches may end before the last pass.
    fn at_most(&self) -> &'static str {
        let searches = |fitting: &Fitting<'_>| matches!(fitting.part.scale.method, Method::Power(_));
        if self.fittings.iter().any(searches) {
            "up to "
        } else {
            ""
        }
    }

    /// Says why the file is read again.
    fn tell_readings(&self) {
        let several = self.fittings.iter().filter(|fitting| fitting.passes() > 1);
        let names: Vec<String> = several.map(|fitting| fitting.part.scale.to_string()).collect();
        note(
            "note",
            &format!(
                "{} needs the numbers again, and they are too many to keep: {} is read {}{} times",
                names.join(", "),
                self.table.path().display(),
                self.at_most(),
                self.most
            ),
        );
    }

    fn file_name(&self) -> String {
        self.table.path().file_name().unwrap_or_default().display().to_string()
    }

    fn finish(&self) -> Result<Parameters> {
        let (table, fit) = (self.table, self.fit);
        let names = self.keys.names();
        let keys = fit.by.map(|_| &names[..]);
        let scalers = self.fittings.iter().map(|fitting| finish(table, fitting, keys));
        let name = |column: usize| table.columns()[column].name.clone();
        let fitted = Fitted {
            program: concat!("wgnorm ", env!("CARGO_PKG_VERSION")).into(),
            table: self.file_name(),
            rows: self.rows,
            readings: self.readings,
            by: fit.by.map(name),
            weight: fit.weight.map(name),
        };
        let records = records(table, &self.fittings, self.rows);
        Ok(Parameters::new(fitted, records, scalers.collect::<Result<_>>()?))
    }
}

/// Batches that are kept for further passes, as long as they are few.
struct Kept(Option<(Vec<Batch>, usize)>);

impl Kept {
    fn new(wanted: bool) -> Self {
        Self(wanted.then(|| (Vec::new(), 0)))
    }

    fn batches(&self) -> Option<&[Batch]> {
        self.0.as_ref().map(|(batches, _)| &batches[..])
    }

    /// Keeps what further passes need. True if that is too much from now on.
    fn keep(&mut self, mut batch: Batch, fittings: &[Fitting<'_>]) -> bool {
        let Some((batches, size)) = &mut self.0 else {
            return false;
        };
        for (matrix, fitting) in batch.matrices.iter_mut().zip(fittings) {
            if fitting.passes() < 2 {
                *matrix = None;
            }
        }
        *size += batch
            .matrices
            .iter()
            .flatten()
            .map(|matrix| matrix.values.len())
            .sum::<usize>();
        batches.push(batch);
        let too_much = *size > KEPT;
        if too_much {
            self.0 = None;
        }
        too_much
    }
}

/// What a chunk gives to the parts that still read.
fn take(
    table: &dyn Table,
    fit: &Fit<'_>,
    fittings: &[Fitting<'_>],
    keys: &mut Keys,
    chunk: &Chunk,
    first: bool,
) -> Result<Batch> {
    let mut matrices = Vec::with_capacity(fittings.len());
    for fitting in fittings {
        let part = fitting.part;
        let learns = learns(part);
        let wrong = |values: &[f64]| {
            let infinite = || values.iter().position(|x| x.is_infinite());
            let infinite = learns.then(infinite).flatten().map(|row| {
                let x = values[row];
                (row, format!("{x}: nothing can be learned of infinite values"))
            });
            infinite
                .into_iter()
                .chain(part.scale.refusal(values))
                .min_by_key(|(row, _)| *row)
        };
        let matrix = || Matrix::of(table, chunk, &part.columns, wrong).map(|matrix| matrix.with(part.scale.logarithm));
        matrices.push(fitting.learner.reads.then(matrix).transpose()?);
    }
    let weights = match fit.weight {
        Some(column) => {
            let weights = numbers(&chunk.columns[column]).into_owned();
            if let Some(row) = weights
                .iter()
                .position(|weight| !(*weight >= 0.0 && weight.is_finite()))
            {
                let message = match weights[row].is_nan() {
                    true => "the weight is missing".to_owned(),
                    false => format!("{} is no weight, which is finite and not negative", weights[row]),
                };
                return Err(table.wrong(chunk.first_row + row as u64, column, message));
            }
            Some(weights)
        }
        None => None,
    };
    Ok(Batch {
        matrices,
        weights,
        keys: (fit.by.map(|by| keys.numbers(table, chunk, by, first))).transpose()?,
    })
}

fn count_missing(fittings: &mut [Fitting<'_>], batch: &Batch) {
    for (fitting, matrix) in fittings.iter_mut().zip(&batch.matrices) {
        let Some(matrix) = matrix else { continue };
        for (i, missing) in fitting.missing.iter_mut().enumerate() {
            *missing += matrix.column(i).iter().filter(|x| x.is_nan()).count() as u64;
        }
    }
}

fn absorb(table: &dyn Table, fittings: &mut [Fitting<'_>], batch: &Batch) -> Result<()> {
    for (fitting, matrix) in fittings.iter_mut().zip(&batch.matrices) {
        let Some(matrix) = matrix else { continue };
        let part = fitting.part;
        let weights = batch.weights.as_deref().filter(|_| learns(part));
        let features = matrix.features(part.columns.len());
        let learned = (fitting.learner).absorb(&matrix.values, features, batch.keys.as_deref(), weights);
        learned.map_err(|error| refusal(table, part, &error))?;
    }
    Ok(())
}

/// An error of the library, which knows no names.
fn refusal(table: &dyn Table, part: &Part, error: &wgnorm::Error) -> Failure {
    let names = part.columns.iter().map(|&column| table.columns()[column].name.as_str());
    let names: Vec<&str> = names.collect();
    table.failure(format!("{} of {}: {error}", part.scale, names.join(", ")))
}

fn finish(table: &dyn Table, fitting: &Fitting<'_>, keys: Option<&[String]>) -> Result<PartParameters> {
    let finished = fitting.learner.finish(keys.map(<[String]>::len));
    let mut scalers = finished
        .map_err(|error| refusal(table, fitting.part, &error))?
        .into_iter();
    let learned = match (keys, scalers.next()) {
        (Some(keys), first) => Scalers::ByKey(keys.iter().cloned().zip(first.into_iter().chain(scalers)).collect()),
        (None, Some(scaler)) => Scalers::OfAllRows(scaler),
        (None, None) => return Err(table.failure("has no rows, there is nothing to learn from")),
    };
    let names = fitting
        .part
        .columns
        .iter()
        .map(|&column| table.columns()[column].name.clone());
    Ok(PartParameters {
        scale: fitting.part.scale.clone(),
        columns: names.collect(),
        learned,
    })
}

fn records(table: &dyn Table, fittings: &[Fitting<'_>], rows: u64) -> Vec<ColumnRecord> {
    let missing = |column: usize| {
        fittings.iter().find_map(|fitting| {
            let place = fitting.part.columns.iter().position(|&other| other == column)?;
            Some(fitting.missing[place])
        })
    };
    (table.columns().iter().enumerate())
        .map(|(i, column)| ColumnRecord {
            name: column.name.clone(),
            type_name: column.type_name(),
            values: missing(i).map(|missing| rows - missing),
            missing: missing(i),
        })
        .collect()
}
