//! Numbers of some rows, as the library takes them: column after column, and by key.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;
use wgnorm::scaler::Features;

use super::spec::Curve;
use crate::failure::Result;
use crate::table::{Chunk, Table};

/// Columns of f64 of equal length, one after the other; NaN where there is no value.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    pub values: Vec<f64>,
    pub rows: usize,
}

impl Matrix {
    /// Takes columns of a chunk, and the curve of them. `refuse` may say what is wrong with a value.
    pub fn of(
        table: &dyn Table,
        chunk: &Chunk,
        columns: &[usize],
        curve: Curve,
        refuse: impl Fn(f64) -> Option<String>,
    ) -> Result<Self> {
        let mut values = Vec::with_capacity(columns.len() * chunk.rows);
        for &column in columns {
            let start = values.len();
            values.extend(numbers(&chunk.columns[column]));
            let of_column = &mut values[start..];
            if let Some((row, what)) = first(of_column, &refuse) {
                return Err(table.wrong(chunk.first_row + row as u64, column, what));
            }
            if curve != Curve::None {
                of_column.iter_mut().for_each(|x| *x = curve.of(*x));
            }
        }
        Ok(Self {
            values,
            rows: chunk.rows,
        })
    }

    /// Where the columns are, for the library.
    pub fn features(&self, columns: usize) -> Features {
        Features::samples(columns, self.rows)
    }

    pub fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.rows..][..self.rows]
    }

    /// Some rows.
    pub fn gather(&self, rows: &[usize]) -> Self {
        let columns = self.values.chunks(self.rows.max(1));
        Self {
            values: columns.flat_map(|column| rows.iter().map(|&row| column[row])).collect(),
            rows: rows.len(),
        }
    }

    /// Puts rows back where they were gathered.
    pub fn scatter(&mut self, rows: &[usize], part: &Self) {
        let columns = self.values.chunks_mut(self.rows.max(1));
        for (column, part) in columns.zip(part.values.chunks(part.rows.max(1))) {
            for (&row, &value) in rows.iter().zip(part) {
                column[row] = value;
            }
        }
    }
}

/// The numbers of a column that was wanted as such.
pub fn numbers(column: &Option<ArrayRef>) -> impl Iterator<Item = f64> {
    let column = column.as_ref().map(|column| column.as_primitive::<Float64Type>());
    column
        .into_iter()
        .flat_map(|column| column.iter().map(|value| value.unwrap_or(f64::NAN)))
}

fn first(values: &[f64], refuse: impl Fn(f64) -> Option<String>) -> Option<(usize, String)> {
    values
        .iter()
        .enumerate()
        .find_map(|(row, &value)| refuse(value).map(|what| (row, what)))
}

/// The keys that rows have in a column, numbered as they are met.
#[derive(Debug, Default)]
pub struct Keys {
    numbers: HashMap<String, usize>,
}

impl Keys {
    /// Keys that are known.
    pub fn known<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        Self {
            numbers: keys.enumerate().map(|(i, key)| (key.to_owned(), i)).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The keys, by number.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<(&String, &usize)> = self.numbers.iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// The rows of a chunk by the number of their key. What is not `known` is added, or refused.
    pub fn rows(
        &mut self,
        table: &dyn Table,
        chunk: &Chunk,
        column: usize,
        add: bool,
    ) -> Result<Vec<(usize, Vec<usize>)>> {
        let Some(keys) = &chunk.columns[column] else {
            return Err(table.failure("the keys were not read"));
        };
        let keys =
            cast(keys, &DataType::Utf8).map_err(|error| table.wrong(chunk.first_row, column, error.to_string()))?;
        let keys = keys.as_string::<i32>();
        let mut rows: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut place: HashMap<usize, usize> = HashMap::new();
        for row in 0..keys.len() {
            let refuse = |what: String| table.wrong(chunk.first_row + row as u64, column, what);
            if keys.is_null(row) || keys.value(row).trim().is_empty() {
                return Err(refuse("the key is missing".into()));
            }
            let key = keys.value(row);
            let number = match self.numbers.get(key) {
                Some(&number) => number,
                None if add => {
                    let number = self.numbers.len();
                    self.numbers.insert(key.to_owned(), number);
                    number
                }
                None => return Err(refuse(format!("{key:?} was not among the keys that were fitted"))),
            };
            let place = *place.entry(number).or_insert_with(|| {
                rows.push((number, Vec::new()));
                rows.len() - 1
            });
            rows[place].1.push(row);
        }
        Ok(rows)
    }
}
