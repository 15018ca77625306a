//! Writing tables, chunk by chunk, in the format that the name of the file says.

use std::error::Error;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, Schema};
use csv::{ByteRecord, QuoteStyle, Writer, WriterBuilder};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;

use super::{Column, CsvOptions, Format, failure};
use crate::failure::{Failure, Result};
use crate::files::{Output, Stream, npy_header};

/// A table in the making; it is under its name when it is [finished](Sink::finish), and not before.
pub struct Sink {
    path: PathBuf,
    columns: Vec<Column>,
    to: To,
}

enum To {
    Csv(Plain, u8),
    Parquet(Box<ArrowWriter<Stream>>, Arc<Schema>),
    Npy(Npy),
}

/// Bytes of a text, compressed or not.
enum Plain {
    As(Stream),
    Gzip(Box<GzEncoder<Stream>>),
}

/// An array in the making: its rows are known at the end.
struct Npy {
    stream: Stream,
    data_type: DataType,
    descr: &'static str,
    rows: usize,
}

impl Sink {
    /// A table of these columns, which every chunk has to have.
    pub fn create(output: Output, columns: Vec<Column>, options: &CsvOptions) -> Result<Self> {
        let path = output.path().to_owned();
        let to = match Format::of(&path)? {
            Format::Csv { gzip, tabs } => To::csv(output.stream()?, gzip, &columns, &options.with_tabs(tabs))?,
            Format::Parquet => To::parquet(output.stream()?, &columns)?,
            Format::Npy => To::npy(&path, output, &columns)?,
        };
        Ok(Self { path, columns, to })
    }

    /// Writes the rows of one array a column.
    pub fn write(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let (path, columns) = (&self.path, &self.columns);
        match &mut self.to {
            To::Csv(plain, delimiter) => write_csv(path, columns, plain, *delimiter, arrays),
            To::Parquet(writer, schema) => {
                let batch = RecordBatch::try_new(schema.clone(), arrays.to_vec());
                let batch = batch.map_err(|error| failure(path, error.to_string()))?;
                writer.write(&batch).map_err(|error| cannot(path, &error))
            }
            To::Npy(npy) => npy.write(columns, arrays),
        }
    }

    /// Puts the file in place.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        match self.to {
            To::Csv(plain, _) => match plain {
                Plain::As(stream) => stream.finish(),
                Plain::Gzip(encoder) => encoder.finish().map_err(|error| cannot(&path, &error))?.finish(),
            },
            To::Parquet(writer, _) => writer.into_inner().map_err(|error| cannot(&path, &error))?.finish(),
            To::Npy(npy) => npy.finish(self.columns.len()),
        }
    }
}

impl To {
    fn csv(stream: Stream, gzip: bool, columns: &[Column], options: &CsvOptions) -> Result<Self> {
        let path = stream.path().to_owned();
        let mut plain = match gzip {
            true => Plain::Gzip(Box::new(GzEncoder::new(stream, Compression::default()))),
            false => Plain::As(stream),
        };
        if options.has_header() {
            let names = columns.iter().map(|column| &column.name);
            let header = text(options.delimiter(), |writer| writer.write_record(names));
            plain.write_all(&header).map_err(|error| cannot(&path, &error))?;
        }
        Ok(Self::Csv(plain, options.delimiter()))
    }

    fn parquet(stream: Stream, columns: &[Column]) -> Result<Self> {
        let path = stream.path().to_owned();
        let field = |column: &Column| Field::new(&column.name, column.data_type.clone(), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Codec::SNAPPY).build();
        let writer = ArrowWriter::try_new(stream, schema.clone(), Some(properties));
        Ok(Self::Parquet(
            Box::new(writer.map_err(|error| cannot(&path, &error))?),
            schema,
        ))
    }

    fn npy(path: &Path, output: Output, columns: &[Column]) -> Result<Self> {
        if let Some(other) = columns.iter().find(|column| !column.is_number()) {
            let message = format!(
                "column {:?} is {}, a .npy table holds numbers alone",
                other.name,
                other.type_name()
            );
            return Err(failure(path, message));
        }
        let first = columns
            .first()
            .map_or(DataType::Float64, |column| column.data_type.clone());
        // One type for all: that of every column, or f64.
        let alike = columns.iter().all(|column| column.data_type == first);
        let data_type = if alike { first } else { DataType::Float64 };
        let Some(descr) = descr(&data_type) else {
            return Err(failure(path, format!("NumPy has no {data_type}")));
        };
        let mut npy = Npy {
            stream: output.stream()?,
            data_type,
            descr,
            rows: 0,
        };
        npy.header(columns.len(), usize::MAX)?;
        Ok(Self::Npy(npy))
    }
}

/// Why something could not be written: csv and parquet wrap the reason, and temporary files add a name that nobody knows.
fn cannot(path: &Path, error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    let mut reason = error.to_string();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            reason = io::Error::from(error.kind()).to_string();
        }
        cause = error.source();
    }
    Failure::Input(format!("cannot write {}: {reason}", path.display()))
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::As(stream) => stream.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::As(stream) => stream.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// The texts of a column.
enum Texts<'a> {
    F64(&'a arrow_array::Float64Array),
    F32(&'a arrow_array::Float32Array),
    Text(&'a arrow_array::StringArray),
    Other(ArrayFormatter<'a>),
}

impl Texts<'_> {
    fn of(array: &ArrayRef) -> Result<Texts<'_>, arrow_schema::ArrowError> {
        const OPTIONS: FormatOptions<'_> = FormatOptions::new();
        Ok(match array.data_type() {
            DataType::Float64 => Texts::F64(array.as_primitive::<Float64Type>()),
            DataType::Float32 => Texts::F32(array.as_primitive::<Float32Type>()),
            DataType::Utf8 => Texts::Text(array.as_string()),
            _ => Texts::Other(ArrayFormatter::try_new(array, &OPTIONS)?),
        })
    }

    /// Appends a field; nothing where there is no value.
    fn push(&self, row: usize, record: &mut ByteRecord) {
        match self {
            Self::F64(values) if values.is_valid(row) => push_float(record, values.value(row)),
            Self::F32(values) if values.is_valid(row) => push_float(record, values.value(row)),
            Self::Text(values) if values.is_valid(row) => record.push_field(values.value(row).as_bytes()),
            Self::Other(values) => record.push_field(values.value(row).to_string().as_bytes()),
            _ => record.push_field(b""),
        }
    }
}

/// The shortest text that is read as the same number; whole ones without ".0".
fn push_float(record: &mut ByteRecord, value: impl ryu::Float) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format(value);
    record.push_field(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// CSV that is written by `write`.
fn text(delimiter: u8, write: impl FnOnce(&mut Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .delimiter(delimiter)
        .quote_style(QuoteStyle::Necessary)
        .from_writer(Vec::new());
    // Writing to memory does not fail.
    let written = write(&mut writer).is_ok();
    writer.into_inner().ok().filter(|_| written).unwrap_or_default()
}

/// Writes rows, whose text is made on several threads.
fn write_csv(path: &Path, columns: &[Column], plain: &mut Plain, delimiter: u8, arrays: &[ArrayRef]) -> Result<()> {
    const ROWS: usize = 1 << 12;
    let rows = arrays.first().map_or(0, |array| array.len());
    let part = |first: usize| -> Result<Vec<u8>> {
        let last = (first + ROWS).min(rows);
        let mut texts = Vec::with_capacity(arrays.len());
        for (array, column) in arrays.iter().zip(columns) {
            let refuse = |error| failure(path, format!("column {:?}: {error}", column.name));
            texts.push(Texts::of(array).map_err(refuse)?);
        }
        Ok(text(delimiter, |writer| {
            let mut record = ByteRecord::new();
            (first..last).try_for_each(|row| {
                record.clear();
                texts.iter().for_each(|texts| texts.push(row, &mut record));
                writer.write_byte_record(&record)
            })
        }))
    };
    let parts: Vec<Result<Vec<u8>>> = (0..rows.div_ceil(ROWS))
        .into_par_iter()
        .map(|i| part(i * ROWS))
        .collect();
    for part in parts {
        plain.write_all(&part?).map_err(|error| cannot(path, &error))?;
    }
    Ok(())
}

/// NumPy's name of a type.
fn descr(data_type: &DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Int8 => "|i1",
        DataType::Int16 => "<i2",
        DataType::Int32 => "<i4",
        DataType::Int64 => "<i8",
        DataType::UInt8 => "|u1",
        DataType::UInt16 => "<u2",
        DataType::UInt32 => "<u4",
        DataType::UInt64 => "<u8",
        DataType::Float16 => "<f2",
        DataType::Float32 => "<f4",
        DataType::Float64 => "<f8",
        _ => return None,
    })
}

impl Npy {
    /// The header; first with the longest number of rows, so that there is room for any.
    fn header(&mut self, columns: usize, rows: usize) -> Result<()> {
        // (As long as that of usize::MAX rows: both end at a multiple of 64.)
        let longest = npy_header(self.descr, &[usize::MAX, columns]).len();
        let mut header = npy_header(self.descr, &[rows, columns]);
        let missing = longest - header.len();
        if missing > 0 {
            header.pop();
            header.extend(std::iter::repeat_n(b' ', missing));
            header.push(b'\n');
            let length = (header.len() - 10) as u16;
            header[8..10].copy_from_slice(&length.to_le_bytes());
        }
        self.stream
            .write_all(&header)
            .map_err(|error| self.stream.refusal(error))
    }

    fn write(&mut self, columns: &[Column], arrays: &[ArrayRef]) -> Result<()> {
        let rows = arrays.first().map_or(0, |array| array.len());
        let width = self.data_type.primitive_width().unwrap_or(8);
        let mut bytes = vec![0; rows * arrays.len() * width];
        for (i, (array, column)) in arrays.iter().zip(columns).enumerate() {
            let refuse = |what: &str| failure(self.stream.path(), format!("column {:?}: {what}", column.name));
            let array = cast(array, &self.data_type).map_err(|error| refuse(&error.to_string()))?;
            let lost = array.null_count() > 0 && !self.data_type.is_floating();
            if lost {
                return Err(refuse("has missing values, which integers do not have"));
            }
            let data = array.to_data();
            let values = &data.buffers()[0].as_slice()[data.offset() * width..];
            for row in 0..rows {
                let to = &mut bytes[(row * arrays.len() + i) * width..][..width];
                match array.is_valid(row) {
                    true => to.copy_from_slice(&values[row * width..][..width]),
                    false => missing(to),
                }
            }
        }
        self.rows += rows;
        self.stream
            .write_all(&bytes)
            .map_err(|error| self.stream.refusal(error))
    }

    fn finish(mut self, columns: usize) -> Result<()> {
        let start = self.stream.seek(SeekFrom::Start(0)).map(drop);
        start.map_err(|error| self.stream.refusal(error))?;
        self.header(columns, self.rows)?;
        self.stream.finish()
    }
}

/// NaN of a width.
fn missing(bytes: &mut [u8]) {
    match bytes.len() {
        2 => bytes.copy_from_slice(&half::f16::NAN.to_le_bytes()),
        4 => bytes.copy_from_slice(&f32::NAN.to_le_bytes()),
        _ => bytes.copy_from_slice(&f64::NAN.to_le_bytes()),
    }
}
