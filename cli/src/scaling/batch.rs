//! Numbers of some rows, as the library takes them: column after column, and keys by number.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use wgnorm::scaler::{Features, Logarithm};

use crate::failure::Result;
use crate::table::{Chunk, Table};

/// Columns of f64 of equal length, one after the other; NaN where there is no value.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    pub values: Vec<f64>,
    pub rows: usize,
}

impl Matrix {
    /// Takes columns of a chunk as numbers. `wrong` names the first row of a column that cannot be taken, and why.
    pub fn of(
        table: &dyn Table,
        chunk: &Chunk,
        columns: &[usize],
        wrong: impl Fn(&[f64]) -> Option<(usize, String)>,
    ) -> Result<Self> {
        let mut values = Vec::with_capacity(columns.len() * chunk.rows);
        for &column in columns {
            let of_column = numbers(&chunk.columns[column]);
            if let Some((row, what)) = wrong(&of_column) {
                return Err(table.wrong(chunk.first_row + row as u64, column, what));
            }
            values.extend_from_slice(&of_column);
        }
        Ok(Self {
            values,
            rows: chunk.rows,
        })
    }

    /// Takes the logarithm of all numbers, if there is one.
    pub fn with(mut self, logarithm: Option<Logarithm>) -> Self {
        if let Some(logarithm) = logarithm {
            self.values.par_iter_mut().for_each(|x| *x = logarithm.of(*x));
        }
        self
    }

    /// Where the columns are, for the library.
    pub fn features(&self, columns: usize) -> Features {
        Features::samples(columns, self.rows)
    }

    pub fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.rows..][..self.rows]
    }
}

/// The numbers of a column that was wanted as such; NaN where there is no value.
pub fn numbers(column: &Option<ArrayRef>) -> Cow<'_, [f64]> {
    let Some(column) = column.as_ref().map(|column| column.as_primitive::<Float64Type>()) else {
        return Cow::default();
    };
    match column.null_count() {
        0 => Cow::Borrowed(column.values()),
        _ => column.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
    }
}

/// The keys that rows have in a column, numbered as they are met.
#[derive(Debug, Default)]
pub struct Keys {
    numbers: HashMap<String, u32>,
}

impl Keys {
    /// Keys that are known.
    pub fn known<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        Self {
            numbers: (0..).zip(keys).map(|(number, key)| (key.to_owned(), number)).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The keys, by number.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<(&String, &u32)> = self.numbers.iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// The number of the key of every row of a chunk. What is not known is added, or refused.
    pub fn numbers(&mut self, table: &dyn Table, chunk: &Chunk, column: usize, add: bool) -> Result<Vec<u32>> {
        let Some(keys) = &chunk.columns[column] else {
            return Err(table.failure("the keys were not read"));
        };
        let keys =
            cast(keys, &DataType::Utf8).map_err(|error| table.wrong(chunk.first_row, column, error.to_string()))?;
        let keys = keys.as_string::<i32>();
        let mut numbers = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let refuse = |what: String| table.wrong(chunk.first_row + row as u64, column, what);
            if keys.is_null(row) || keys.value(row).trim().is_empty() {
                return Err(refuse("the key is missing".into()));
            }
            let key = keys.value(row);
            numbers.push(match self.numbers.get(key) {
                Some(&number) => number,
                None if add => {
                    let number = u32::try_from(self.numbers.len())
                        .map_err(|_| refuse("there are more keys than 2^32".into()))?;
                    self.numbers.insert(key.to_owned(), number);
                    number
                }
                None => return Err(refuse(format!("{key:?} was not among the keys that were fitted"))),
            });
        }
        Ok(numbers)
    }
}
