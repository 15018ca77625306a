//! Reading CSV.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_schema::DataType;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use super::{Chunk, Chunks, Column, Counter, CsvOptions, Shape, Table, Want, chunk_rows, failure, open_file, wrong};
use crate::failure::Result;

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
    fn path(&self) -> &Path {
        &self.shape.path
    }

    fn columns(&self) -> &[Column] {
        &self.shape.columns
    }

    fn types_are_guessed(&self) -> bool {
        true
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        Ok(Box::new(Rows {
            reader: reader(&self.shape.path, &self.options, read)?,
            shape: self.shape.clone(),
            wants: wants.to_vec(),
            record: ByteRecord::new(),
            next_row: 1,
            ended: false,
        }))
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
            Err(()) => self.text = true,
        }
    }

    fn data_type(self) -> DataType {
        match self.numbers && !self.text {
            true => DataType::Float64,
            false => DataType::Utf8,
        }
    }
}

/// The number in a field; `None` if it is missing.
fn number(field: &[u8]) -> Result<Option<f64>, ()> {
    let field = field.trim_ascii();
    if !matches!(field.first(), Some(b'0'..=b'9' | b'-' | b'+' | b'.'))
        && ["", "NA", "N/A", "NaN", "null"]
            .iter()
            .any(|missing| field.eq_ignore_ascii_case(missing.as_bytes()))
    {
        return Ok(None);
    }
    match str::from_utf8(field).ok().and_then(|field| field.parse::<f64>().ok()) {
        Some(number) if number.is_nan() => Ok(None),
        Some(number) => Ok(Some(number)),
        None => Err(()),
    }
}

/// A reading in progress.
struct Rows {
    reader: Reader<Box<dyn Read + Send>>,
    shape: Shape,
    wants: Vec<Want>,
    record: ByteRecord,
    next_row: u64,
    ended: bool,
}

/// A column in the making.
enum Fields {
    Nothing,
    Numbers(Float64Builder),
    Text(StringBuilder),
}

impl Rows {
    fn chunk(&mut self) -> Result<Option<Chunk>> {
        let most = chunk_rows(self.wants.iter().filter(|&&want| want != Want::Nothing).count());
        let mut columns: Vec<Fields> = (self.wants.iter())
            .map(|want| match want {
                Want::Nothing => Fields::Nothing,
                Want::Numbers => Fields::Numbers(Float64Builder::with_capacity(most)),
                Want::AsIs => Fields::Text(StringBuilder::with_capacity(most, most * 8)),
            })
            .collect();
        let (path, mut rows) = (&self.shape.path, 0);
        while rows < most {
            let row = self.next_row + rows as u64;
            let more = self.reader.read_byte_record(&mut self.record);
            if !more.map_err(|error| explain(path, &error, row))? {
                break;
            }
            for (i, (field, column)) in self.record.iter().zip(&mut columns).enumerate() {
                let refuse = |what: &str| wrong(path, row, &self.shape.columns[i].name, what);
                match column {
                    Fields::Nothing => {}
                    Fields::Numbers(numbers) => match number(field) {
                        Ok(number) => numbers.append_option(number),
                        Err(()) => {
                            let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
                            return Err(refuse(&format!("{text:?} is not a number")));
                        }
                    },
                    Fields::Text(texts) => {
                        texts.append_value(str::from_utf8(field).map_err(|_| refuse("the text is not UTF-8"))?);
                    }
                }
            }
            rows += 1;
        }
        let first_row = self.next_row;
        self.next_row += rows as u64;
        let finish = |fields| -> Option<ArrayRef> {
            match fields {
                Fields::Nothing => None,
                Fields::Numbers(mut numbers) => Some(Arc::new(numbers.finish())),
                Fields::Text(mut texts) => Some(Arc::new(texts.finish())),
            }
        };
        Ok((rows > 0).then(|| Chunk {
            first_row,
            rows,
            columns: columns.into_iter().map(finish).collect(),
        }))
    }
}

impl Iterator for Rows {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        if self.ended {
            return None;
        }
        let chunk = self.chunk().transpose();
        self.ended = !matches!(chunk, Some(Ok(_)));
        chunk
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
fn explain(path: &Path, error: &csv::Error, row: u64) -> crate::failure::Failure {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_numbers_missing_or_neither() {
        for (field, value) in [("1", 1.0), (" -2.5e3 ", -2500.0), ("+.5", 0.5), ("inf", f64::INFINITY)] {
            assert_eq!(number(field.as_bytes()), Ok(Some(value)));
        }
        for field in ["", " ", "NA", "na", "n/a", "nan", "-nan", "NULL"] {
            assert_eq!(number(field.as_bytes()), Ok(None), "{field:?}");
        }
        for field in ["a", "1,5", "1 2", "--", "0x10", "\u{e9}"] {
            assert_eq!(number(field.as_bytes()), Err(()), "{field:?}");
        }
    }
}
