//! Applying parameters to chunks of a table, and undoing it.
//!
//! All is computed in f64 on the CPU's threads, but for columns of f32 where there is a GPU: those of f64 would lose half of
//! their digits there.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use wgnorm::scaler::{GroupedScaler, Logarithm, Method, Scaler};

use super::batch::{Keys, Matrix};
use super::gpu::Gpu;
use super::parameters::{Parameters, PartParameters, Scalers};
use super::shortest::{shortest, shortest_near};
use super::spec::Scale;
use crate::device::DeviceArgs;
use crate::failure::Result;
use crate::table::{Chunk, Column, Table, Want};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Inverse,
}

/// Parameters about to be applied to a table.
pub struct Application<'a> {
    table: &'a dyn Table,
    parts: Vec<BoundPart<'a>>,
    by: Option<usize>,
    direction: Direction,
    /// Whether columns that pass through are wanted as numbers too.
    numbers_alone: bool,
    gpu: Option<Gpu>,
}

struct BoundPart<'a> {
    scale: &'a Scale,
    columns: Vec<usize>,
    scalers: BoundScalers<'a>,
}

enum BoundScalers<'a> {
    OfAllRows(&'a Scaler),
    /// By number of key.
    ByKey(Keys, Box<GroupedScaler>),
}

impl<'a> Application<'a> {
    pub fn new(table: &'a dyn Table, parameters: &'a Parameters, direction: Direction) -> Result<Self> {
        let (places, by) = parameters.places(table)?;
        let mut parts = Vec::new();
        for (
            PartParameters {
                scale,
                columns,
                learned,
            },
            places,
        ) in parameters.scalers.iter().zip(places)
        {
            if direction == Direction::Inverse && scale.is_of_rows() {
                return Err(table.failure(format!(
                    "{scale} of {} cannot be undone: the norms of the rows are not kept",
                    columns.join(", ")
                )));
            }
            parts.push(BoundPart {
                scale,
                columns: places,
                scalers: match learned {
                    Scalers::OfAllRows(scaler) => BoundScalers::OfAllRows(scaler),
                    // What was given is the same for all keys.
                    Scalers::ByKey(scalers) if scale.method.passes::<f64>() == 0 => {
                        let first = scalers.values().next();
                        BoundScalers::OfAllRows(first.ok_or_else(|| table.failure("the parameters are of no key"))?)
                    }
                    Scalers::ByKey(scalers) => BoundScalers::ByKey(
                        Keys::known(scalers.keys().map(String::as_str)),
                        Box::new(GroupedScaler::new((0..).zip(scalers.values().cloned()))?),
                    ),
                },
            });
        }
        Ok(Self {
            table,
            parts,
            by,
            direction,
            numbers_alone: false,
            gpu: None,
        })
    }

    /// Computes columns of f32 on a GPU, if there is one; it is undone on the CPU.
    pub fn on(mut self, device: &DeviceArgs) -> Result<Self> {
        if self.direction == Direction::Forward {
            let parts = self.parts.iter().map(|part| (part.scale, &part.columns[..]));
            self.gpu = Gpu::open(device, self.table, parts)?;
        }
        Ok(self)
    }

    /// Also what passes through is wanted as numbers: for files of nothing else.
    pub fn numbers_alone(mut self) -> Self {
        self.numbers_alone = true;
        self
    }

    /// The columns that come out.
    pub fn columns(&self) -> Vec<Column> {
        let result = |(i, column): (usize, &Column)| Column {
            name: column.name.clone(),
            data_type: match (self.is_scaled(i), self.wants_number(i)) {
                (true, _) => scaled_type(&column.data_type),
                (false, true) => DataType::Float64,
                (false, false) => self.table.passed(i),
            },
        };
        self.table.columns().iter().enumerate().map(result).collect()
    }

    fn is_scaled(&self, column: usize) -> bool {
        self.parts.iter().any(|part| part.columns.contains(&column))
    }

    /// Whether a column passes through as a number, though it would as text.
    fn wants_number(&self, column: usize) -> bool {
        self.numbers_alone && self.table.types_are_guessed() && Some(column) != self.by
    }

    pub fn wants(&self) -> Vec<Want> {
        let want = |column| match self.is_scaled(column) || self.wants_number(column) {
            true => Want::Numbers,
            false => Want::AsIs,
        };
        (0..self.table.columns().len()).map(want).collect()
    }

    /// The columns of a chunk, scaled or not.
    pub fn apply(&mut self, chunk: &Chunk) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<Option<ArrayRef>> = chunk.columns.clone();
        for part in &mut self.parts {
            let arrays = part.apply(self.table, chunk, self.by, self.direction, self.gpu.as_ref())?;
            for (&column, array) in part.columns.iter().zip(arrays) {
                columns[column] = Some(array);
            }
        }
        let missing = || self.table.failure("a column is missing in the data");
        columns.into_iter().map(|column| column.ok_or_else(missing)).collect()
    }
}

impl BoundPart<'_> {
    fn apply(
        &mut self,
        table: &dyn Table,
        chunk: &Chunk,
        by: Option<usize>,
        direction: Direction,
        gpu: Option<&Gpu>,
    ) -> Result<Vec<ArrayRef>> {
        let target = |column: usize| scaled_type(&table.columns()[column].data_type);
        let narrow: Vec<bool> = (self.columns.iter())
            .map(|&column| target(column) == DataType::Float32)
            .collect();
        let mut matrix = match direction {
            Direction::Forward => {
                Matrix::of(table, chunk, &self.columns, |values| self.scale.refusal(values))?.with(self.scale.logarithm)
            }
            Direction::Inverse => Matrix::of(table, chunk, &self.columns, |_| None)?,
        };
        let gpu = gpu.filter(|_| Gpu::takes(table, self.scale, &self.columns));
        let keys = match (&mut self.scalers, by) {
            (BoundScalers::ByKey(keys, _), Some(by)) => keys.numbers(table, chunk, by, false)?,
            _ => Vec::new(),
        };
        match (&self.scalers, direction, gpu) {
            (scalers, Direction::Forward, Some(gpu)) => {
                let features = matrix.features(self.columns.len());
                let plan = match scalers {
                    BoundScalers::OfAllRows(scaler) => scaler.plan_transform(gpu.context(), features)?,
                    BoundScalers::ByKey(_, scalers) => scalers.plan_transform(gpu.context(), features, &keys)?,
                };
                gpu.transform(&plan, &mut matrix.values)?;
            }
            (scalers, Direction::Forward, _) => scalers.transform(&keys, &mut matrix, self.columns.len())?,
            (scalers, Direction::Inverse, _) => scalers.undo(self.scale, &keys, &narrow, &mut matrix)?,
        }
        let array = |(i, &column): (usize, &usize)| {
            let nulls = chunk.columns[column].as_ref().and_then(|array| array.nulls().cloned());
            let array: ArrayRef = Arc::new(Float64Array::new(matrix.column(i).to_vec().into(), nulls));
            cast(&array, &target(column)).map_err(|error| table.failure(error.to_string()))
        };
        self.columns.iter().enumerate().map(array).collect()
    }
}

/// The type of a column when it is scaled: small floats stay f32.
fn scaled_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Float16 | DataType::Float32 => DataType::Float32,
        _ => DataType::Float64,
    }
}

impl BoundScalers<'_> {
    fn transform(&self, keys: &[u32], matrix: &mut Matrix, columns: usize) -> Result<()> {
        let features = matrix.features(columns);
        match self {
            Self::OfAllRows(scaler) => scaler.transform_in_place(&mut matrix.values, features)?,
            Self::ByKey(_, scalers) => scalers.transform_in_place(&mut matrix.values, features, keys)?,
        }
        Ok(())
    }

    /// The scaler of a row.
    fn of(&self, keys: &[u32], row: usize) -> Option<&Scaler> {
        match self {
            Self::OfAllRows(scaler) => Some(scaler),
            Self::ByKey(_, scalers) => scalers.get(keys[row]),
        }
    }

    /// Undoes it. `narrow` tells the columns of f32.
    fn undo(&self, scale: &Scale, keys: &[u32], narrow: &[bool], matrix: &mut Matrix) -> Result<()> {
        let features = matrix.features(narrow.len());
        let scaled = matrix.values.clone();
        match self {
            Self::OfAllRows(scaler) => scaler.inverse_transform_in_place(&mut matrix.values, features)?,
            Self::ByKey(_, scalers) => scalers.inverse_transform_in_place(&mut matrix.values, features, keys)?,
        }
        let rows = matrix.rows.max(1);
        let columns = matrix
            .values
            .par_chunks_mut(rows)
            .zip(scaled.par_chunks(rows))
            .enumerate();
        columns.for_each(|(i, (x, y))| {
            for (row, (x, &y)) in x.iter_mut().zip(y).enumerate() {
                let Some(scaler) = self.of(keys, row) else { continue };
                *x = if scale.is_of_lines() {
                    Line::of(scaler, i, narrow[i]).settle(scale.logarithm, *x, y)
                } else {
                    let inverse = scale.logarithm.map_or(*x, |logarithm| logarithm.inverse(*x));
                    // A quantile transform has plateaus, and its inverse is a line between two references; how many digits
                    // a power loses depends on λ.
                    let steep = matches!(scale.method, Method::Power(_));
                    shortest_near(inverse, if steep { 1e-6 } else { 1e-12 }, steep, |x| {
                        let x = scale.logarithm.map_or(x, |logarithm| logarithm.of(x));
                        let found = scaler.transform_value(i, x).unwrap_or(f64::NAN);
                        y == if narrow[i] { f64::from(found as f32) } else { found }
                    })
                };
            }
        });
        Ok(())
    }
}

/// What the library does to one column: `y = (x - center) * factor + offset`.
struct Line {
    center: f64,
    scale: f64,
    offset: f64,
    /// Whether y is rounded to f32.
    narrow: bool,
}

impl Line {
    fn of(scaler: &Scaler, column: usize, narrow: bool) -> Self {
        Self {
            center: scaler.center()[column],
            scale: scaler.scale()[column],
            offset: scaler.offset()[column],
            narrow,
        }
    }

    fn forward(&self, logarithm: Option<Logarithm>, x: f64) -> f64 {
        let x = logarithm.map_or(x, |logarithm| logarithm.of(x));
        let y = (x - self.center) * self.scale.recip() + self.offset;
        if self.narrow { f64::from(y as f32) } else { y }
    }

    /// What x was, given y and the inverse that the library makes of it, before the logarithm is undone.
    fn settle(&self, logarithm: Option<Logarithm>, inverse: f64, y: f64) -> f64 {
        // Half of the distance from 1 to the next number: what a rounding is off by.
        let unit = if self.narrow {
            f64::from(f32::EPSILON)
        } else {
            f64::EPSILON
        } / 2.0;
        // Roundings: of the difference, of 1 / scale and of the product, in y; of the product, in the inverse. Then those
        // of y and of the inverse themselves.
        let off = (y - self.offset) * self.scale;
        let error = unit * (5.0 * off.abs() + 2.0 * (y * self.scale).abs() + inverse.abs());
        let (x, error) = match logarithm {
            None => (inverse, error),
            Some(logarithm) => {
                let x = logarithm.inverse(inverse);
                let of_logarithm = (error + 2.0 * unit * inverse.abs()) * logarithm.slope_of_inverse(inverse);
                (x, of_logarithm + 4.0 * unit * x.abs())
            }
        };
        shortest(x, error, |x| self.forward(logarithm, x) == y)
    }
}
