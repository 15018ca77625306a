//! Reading Parquet.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::{Chunk, Chunks, Column, Counter, Shape, Table, Want, chunk_rows, failure, open_file, wrong};
use crate::failure::Result;

pub struct Parquet {
    shape: Shape,
    metadata: ArrowReaderMetadata,
    bytes: u64,
}

impl Parquet {
    pub fn open(path: &Path) -> Result<Self> {
        let (file, bytes) = open_file(path)?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|error| failure(path, format!("not a whole Parquet file: {error}")))?;
        let column = |field: &std::sync::Arc<arrow_schema::Field>| Column {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
        };
        let columns: Vec<Column> = metadata.schema().fields().iter().map(column).collect();
        if columns.is_empty() {
            return Err(failure(path, "has no columns"));
        }
        Ok(Self {
            shape: Shape {
                path: path.to_owned(),
                columns,
            },
            metadata,
            bytes,
        })
    }

    fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows() as u64
    }
}

impl Table for Parquet {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        let (file, _) = open_file(&self.shape.path)?;
        let builder = ParquetRecordBatchReaderBuilder::<File>::new_with_metadata(file, self.metadata.clone());
        let wanted: Vec<usize> = (0..wants.len()).filter(|&i| wants[i] != Want::Nothing).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
        let reader = builder
            .with_projection(mask)
            .with_batch_size(chunk_rows(wanted.len()))
            .build()
            .map_err(|error| failure(&self.shape.path, error.to_string()))?;
        Ok(Box::new(Batches {
            reader,
            shape: self.shape.clone(),
            wants: wants.to_vec(),
            next_row: 1,
            bytes_per_row: self.bytes as f64 / self.rows().max(1) as f64,
            read: read.clone(),
        }))
    }
}

/// A reading in progress.
struct Batches {
    reader: ParquetRecordBatchReader,
    shape: Shape,
    wants: Vec<Want>,
    next_row: u64,
    /// The bytes that the bar shows: those of the file, shared out over its rows.
    bytes_per_row: f64,
    read: Counter,
}

impl Batches {
    fn chunk(&mut self, batch: &RecordBatch) -> Result<Chunk> {
        let (first_row, rows) = (self.next_row, batch.num_rows());
        self.next_row += rows as u64;
        self.read.set(((self.next_row - 1) as f64 * self.bytes_per_row) as u64);
        let mut arrays = batch.columns().iter();
        let mut columns = Vec::with_capacity(self.wants.len());
        for (i, want) in self.wants.iter().enumerate() {
            let target = match want {
                Want::Nothing => {
                    columns.push(None);
                    continue;
                }
                Want::Numbers => Some(DataType::Float64),
                Want::AsIs => None,
            };
            let Some(array) = arrays.next() else {
                return Err(failure(&self.shape.path, "a column is missing in the data"));
            };
            columns.push(Some(match target {
                None => array.clone(),
                Some(target) => cast_with_options(array, &target, &CastOptions::default()).map_err(|error| {
                    wrong(
                        &self.shape.path,
                        first_row,
                        &self.shape.columns[i].name,
                        error.to_string(),
                    )
                })?,
            }));
        }
        Ok(Chunk {
            first_row,
            rows,
            columns,
        })
    }
}

impl Iterator for Batches {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        Some(match self.reader.next()? {
            Ok(batch) => self.chunk(&batch),
            Err(error) => Err(failure(
                &self.shape.path,
                format!("damaged after row {}: {error}", self.next_row - 1),
            )),
        })
    }
}
