//! Tables, read in chunks of rows: `.csv` and `.tsv` (also gzipped), `.parquet`, `.npy`; and images, as tables of pixels.
//!
//! What a command needs of a column is asked for: as numbers to compute with, or as it is.
//! Numbers are f64 whatever they are stored as; a missing one is null, and NaN.

mod ahead;
mod csv;
mod format;
mod images;
mod npy;
mod number;
mod parquet;
mod sink;

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::ArrayRef;
use arrow_schema::DataType;

pub use format::{CsvOptions, Format};
pub use images::{Images, are_images};
pub use sink::Sink;

use crate::failure::{Failure, Result};

/// Numbers of a chunk, about: 4 MB of f64.
const CHUNK: usize = 1 << 19;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    /// The type of its values. Of CSV, what the first rows look like: numbers (Float64) or text.
    pub data_type: DataType,
}

impl Column {
    pub fn is_number(&self) -> bool {
        self.data_type.is_integer() || self.data_type.is_floating()
    }

    /// The type as messages and files have it.
    pub fn type_name(&self) -> String {
        self.data_type.to_string().to_lowercase()
    }
}

/// What is wanted of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Nothing,
    /// Float64, with nulls where there is no value.
    Numbers,
    /// As it is in the file.
    AsIs,
}

/// Some rows.
pub struct Chunk {
    /// The number of the first row, from 1 on.
    pub first_row: u64,
    pub rows: usize,
    /// By column of the table, those that were wanted.
    pub columns: Vec<Option<ArrayRef>>,
}

/// Chunks of a reading, in order.
pub type Chunks = Box<dyn Iterator<Item = Result<Chunk>> + Send>;

/// A table that can be read again and again.
pub trait Table: Sync {
    fn shape(&self) -> &Shape;

    fn path(&self) -> &Path {
        &self.shape().path
    }

    fn columns(&self) -> &[Column] {
        &self.shape().columns
    }

    /// Whether the types of the columns are only what the first rows look like, and columns that are read as they are
    /// come as text.
    fn types_are_guessed(&self) -> bool {
        false
    }

    /// The size of the file, which a reading counts.
    fn bytes(&self) -> u64;

    /// Starts a reading. `read` counts the bytes that were read.
    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks>;
}

/// Bytes that were read, told by one thread to another.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Opens a table, in the format that its name says, or a folder of images.
pub fn open(path: &Path, options: &CsvOptions) -> Result<Box<dyn Table>> {
    if are_images(path) {
        return Ok(Box::new(Images::open(path)?));
    }
    let table: Box<dyn Table> = match Format::of(path)? {
        Format::Csv { tabs, .. } => Box::new(csv::Csv::open(path, options.with_tabs(tabs))?),
        Format::Parquet => Box::new(parquet::Parquet::open(path)?),
        Format::Npy => Box::new(npy::Npy::open(path)?),
    };
    let mut names = HashSet::new();
    if let Some(twice) = table.columns().iter().find(|column| !names.insert(&column.name)) {
        return Err(table.failure(format!("two columns are called {:?}", twice.name)));
    }
    Ok(table)
}

impl dyn Table + '_ {
    /// The type of a column that is read as it is.
    pub fn passed(&self, column: usize) -> DataType {
        match self.types_are_guessed() {
            true => DataType::Utf8,
            false => self.columns()[column].data_type.clone(),
        }
    }

    /// Something that is wrong with the table.
    pub fn failure(&self, message: impl AsRef<str>) -> Failure {
        failure(self.path(), message)
    }

    /// Something that is wrong with a value.
    pub fn wrong(&self, row: u64, column: usize, message: impl AsRef<str>) -> Failure {
        wrong(self.path(), row, &self.columns()[column].name, message)
    }

    /// A reading ahead of its use, on a thread of its own.
    pub fn read_ahead(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        Ok(ahead::ahead(self.read(wants, read)?))
    }
}

fn failure(path: &Path, message: impl AsRef<str>) -> Failure {
    Failure::Input(format!("{}: {}", path.display(), message.as_ref()))
}

/// Something that is wrong with a value, whose row and column are named.
fn wrong(path: &Path, row: u64, column: &str, message: impl AsRef<str>) -> Failure {
    failure(path, format!("row {row}, column {column:?}: {}", message.as_ref()))
}

/// Opens a file that can be read several times.
fn open_file(path: &Path) -> Result<(File, u64)> {
    let cannot = |error: std::io::Error| Failure::Input(format!("cannot read {}: {error}", path.display()));
    // Before it is opened: opening a named pipe waits for a writer.
    let metadata = fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Failure::Input(format!("{} is not a regular file", path.display())));
    }
    Ok((File::open(path).map_err(cannot)?, metadata.len()))
}

/// Rows of a chunk of so many columns.
fn chunk_rows(columns: usize) -> usize {
    (CHUNK / columns.max(1)).clamp(1, 1 << 16)
}

/// A table's path with its columns: what a reading needs on another thread.
#[derive(Debug, Clone)]
pub struct Shape {
    path: PathBuf,
    columns: Vec<Column>,
}
