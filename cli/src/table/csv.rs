//! Reading CSV.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use rayon::prelude::*;

use super::number::{NotANumber, number};
use super::{Chunk, Chunks, Column, Counter, CsvOptions, Shape, Table, Want, chunk_rows, failure, open_file, wrong};
use crate::failure::{Failure, Result};

/// Rows by which a column's type is told.
const SAMPLE: usize = 1000;
const BUFFER: usize = 1 << 18;

pub struct Csv {
    shape: Shape,
    options: CsvOptions,
    bytes: u64,
}

impl Csv {
    pub fn open(path: &Path, options: CsvOptions) -> Result<Self> {
        let (_, bytes) = open_file(path)?;
        let mut reader = reader(path, &options, &Counter::default())?;
        let wrong = |error: csv::Error, row| explain(path, &error, row);
        let mut record = ByteRecord::new();
        let names = match options.has_header() {
            true => reader.byte_headers().map_err(|error| wrong(error, 0))?.clone(),
            false => ByteRecord::new(),
        };
        let mut samples: Vec<Sample> = Vec::new();
        for row in 1..=SAMPLE as u64 {
            if !reader
                .read_byte_record(&mut record)
                .map_err(|error| wrong(error, row))?
            {
                break;
            }
            samples.resize(record.len(), Sample::default());
            for (sample, field) in samples.iter_mut().zip(&record) {
                sample.see(field);
            }
        }
        let count = if options.has_header() {
            names.len()
        } else {
            samples.len()
        };
        if count == 0 || count == 1 && names.iter().all(<[u8]>::is_empty) && samples.is_empty() {
            return Err(failure(path, "is empty"));
        }
        samples.resize(count, Sample::default());
        let column = |(i, sample): (usize, &Sample)| {
            let name = match names.get(i) {
                Some(name) => str::from_utf8(name)
                    .map_err(|_| failure(path, format!("the name of column {} is not UTF-8", i + 1)))?
                    .to_owned(),
                None => i.to_string(),
            };
            let data_type = sample.data_type();
            Ok(Column { name, data_type })
        };
        Ok(Self {
            shape: Shape {
                columns: samples.iter().enumerate().map(column).collect::<Result<_>>()?,
                path: path.to_owned(),
            },
            options,
            bytes,
        })
    }
}

impl Table for Csv {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn types_are_guessed(&self) -> bool {
        true
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        let reader = reader(&self.shape.path, &self.options, read)?;
        Ok(Box::new(Rows::start(reader, self.shape.clone(), wants.to_vec())))
    }
}

/// What the first fields of a column are.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    numbers: bool,
    text: bool,
}

impl Sample {
    fn see(&mut self, field: &[u8]) {
        match number(field) {
            Ok(Some(_)) => self.numbers = true,
            Ok(None) => {}
            Err(NotANumber) => self.text = true,
        }
    }

    fn data_type(self) -> DataType {
        match self.numbers && !self.text {
            true => DataType::Float64,
            false => DataType::Utf8,
        }
    }
}

/// A reading in progress: one thread splits the text into fields, others make numbers of them.
struct Rows {
    batches: Receiver<Batch>,
    /// Records that may be written over.
    used: Sender<Vec<ByteRecord>>,
    shape: Shape,
    wants: Vec<Want>,
    next_row: u64,
    /// What comes after the last chunk.
    error: Option<Failure>,
}

/// Records of some rows, and what is wrong with the next one.
struct Batch {
    records: Vec<ByteRecord>,
    rows: usize,
    error: Option<Failure>,
}

/// Rows of a batch, at most.
const ROWS: usize = 1 << 12;
/// Batches that wait.
const DEPTH: usize = 2;
/// Records that one thread takes at a time: what a cache holds.
const BLOCK: usize = 1 << 9;

impl Rows {
    fn start(reader: Reader<Box<dyn Read + Send>>, shape: Shape, wants: Vec<Want>) -> Self {
        let (sender, batches) = sync_channel(DEPTH);
        let (used, free) = channel();
        let path = shape.path.clone();
        // Records take several times as much as numbers do; these are still in a cache when they are parsed.
        let most = ROWS.min(chunk_rows(wants.iter().filter(|&&want| want != Want::Nothing).count()));
        thread::spawn(move || split(reader, &path, most, &sender, &free));
        Self {
            batches,
            used,
            shape,
            wants,
            next_row: 1,
            error: None,
        }
    }

    fn chunk(&mut self, batch: Batch) -> Result<Chunk> {
        let first_row = self.next_row;
        let (shape, wants) = (&self.shape, &self.wants[..]);
        let block = |(i, records)| columns(shape, wants, records, first_row + (i * BLOCK) as u64);
        let blocks: Vec<_> = batch.records[..batch.rows]
            .par_chunks(BLOCK)
            .enumerate()
            .map(block)
            .collect();
        let blocks = blocks.into_iter().collect::<Result<Vec<_>>>()?;
        let column = |column: usize| {
            let parts: Vec<&dyn Array> = blocks.iter().filter_map(|block| block[column].as_deref()).collect();
            let refuse = |error: ArrowError| failure(&self.shape.path, error.to_string());
            (!parts.is_empty()).then(|| concat(&parts).map_err(refuse)).transpose()
        };
        let chunk = Chunk {
            first_row,
            rows: batch.rows,
            columns: (0..self.wants.len()).map(column).collect::<Result<_>>()?,
        };
        self.next_row += batch.rows as u64;
        self.error = batch.error;
        // (The other end may have read all.)
        let _ = self.used.send(batch.records);
        Ok(chunk)
    }
}

/// The columns of a few records.
fn columns(shape: &Shape, wants: &[Want], records: &[ByteRecord], first_row: u64) -> Result<Vec<Option<ArrayRef>>> {
    let mut columns: Vec<Fields> = wants
        .iter()
        .map(|want| match want {
            Want::Nothing => Fields::Nothing,
            Want::Numbers => Fields::Numbers(Float64Builder::with_capacity(records.len())),
            Want::AsIs => Fields::Text(StringBuilder::with_capacity(records.len(), records.len() * 8)),
        })
        .collect();
    for (row, record) in records.iter().enumerate() {
        for (i, (field, column)) in record.iter().zip(&mut columns).enumerate() {
            column.push(field).map_err(|what| {
                let name = &shape.columns[i].name;
                wrong(&shape.path, first_row + row as u64, name, what)
            })?;
        }
    }
    Ok(columns.into_iter().map(Fields::finish).collect())
}

/// A column in the making.
enum Fields {
    Nothing,
    Numbers(Float64Builder),
    Text(StringBuilder),
}

impl Fields {
    fn push(&mut self, field: &[u8]) -> Result<(), String> {
        match self {
            Self::Nothing => {}
            Self::Numbers(numbers) => match number(field) {
                Ok(number) => numbers.append_option(number),
                Err(NotANumber) => {
                    let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
                    return Err(format!("{text:?} is not a number"));
                }
            },
            Self::Text(texts) => texts.append_value(str::from_utf8(field).map_err(|_| "the text is not UTF-8")?),
        }
        Ok(())
    }

    fn finish(self) -> Option<ArrayRef> {
        match self {
            Self::Nothing => None,
            Self::Numbers(mut numbers) => Some(Arc::new(numbers.finish())),
            Self::Text(mut texts) => Some(Arc::new(texts.finish())),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        let mut batch = self.batches.recv().ok()?;
        match (batch.rows, batch.error.take_if(|_| batch.rows == 0)) {
            (0, error) => error.map(Err),
            _ => Some(self.chunk(batch)),
        }
    }
}

/// Reads records, into those that are free, until there are no more or nobody takes them.
fn split(
    mut reader: Reader<Box<dyn Read + Send>>,
    path: &Path,
    most: usize,
    batches: &SyncSender<Batch>,
    free: &Receiver<Vec<ByteRecord>>,
) {
    let mut row = 1;
    loop {
        let mut records = free.try_recv().unwrap_or_default();
        let (mut rows, mut error) = (0, None);
        while rows < most && error.is_none() {
            if rows == records.len() {
                records.push(ByteRecord::new());
            }
            match reader.read_byte_record(&mut records[rows]) {
                Ok(true) => rows += 1,
                Ok(false) => break,
                Err(wrong) => error = Some(explain(path, &wrong, row + rows as u64)),
            }
        }
        row += rows as u64;
        let last = rows < most;
        let batch = Batch { records, rows, error };
        if batches.send(batch).is_err() || last {
            return;
        }
    }
}

fn reader(path: &Path, options: &CsvOptions, read: &Counter) -> Result<Reader<Box<dyn Read + Send>>> {
    let (mut file, _) = open_file(path)?;
    let gzip = is_gzip(&mut file).map_err(|error| failure(path, error.to_string()))?;
    let counted = Counted {
        file,
        read: read.clone(),
    };
    let source: Box<dyn Read + Send> = match gzip {
        true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted))),
        false => Box::new(counted),
    };
    Ok(ReaderBuilder::new()
        .delimiter(options.delimiter())
        .has_headers(options.has_header())
        .buffer_capacity(BUFFER)
        .from_reader(source))
}

/// Whether the file begins as gzip does, whatever its name.
fn is_gzip(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(2).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == [0x1f, 0x8b])
}

/// A file whose bytes are counted.
struct Counted {
    file: File,
    read: Counter,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.add(bytes as u64);
        Ok(bytes)
    }
}

/// What is wrong with a row.
fn explain(path: &Path, error: &csv::Error, row: u64) -> Failure {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, pos } => {
            let line = pos
                .as_ref()
                .map_or(String::new(), |pos| format!(" (line {})", pos.line()));
            let missing = match len < expected_len {
                true => format!("column {} is missing", len + 1),
                false => format!("there is no column {}", expected_len + 1),
            };
            failure(
                path,
                format!("row {row}{line} has {len} fields, those before have {expected_len}: {missing}"),
            )
        }
        ErrorKind::Io(error) => failure(
            path,
            format!("cannot be read after row {}: {error}", row.saturating_sub(1)),
        ),
        _ => failure(path, format!("row {row}: {error}")),
    }
}
