//! Tables and images in and out of `wgnorm fit`, `transform`, `inverse`, `params` and `plot`, on the CPU path.

#[path = "../common/mod.rs"]
mod common;
mod examples;
mod formats;
#[path = "../common/large.rs"]
mod generate;
mod images;
mod large;
mod params;
mod plot;
mod refusals;

use std::fs::{self, File};

use arrow_array::{ArrayRef, RecordBatch};
use common::{assert_code, path, stderr, wgnorm, write};
use parquet::arrow::ArrowWriter;

/// People: an identity, an age with gaps, an income, a name.
const PEOPLE: &str = "\
id,age,income,name
7,20,1000,Ann
8,NA,10000,\"Bo, Jr.\"
9,70,100000,
10,45,,Di
11,32.5,1000,Ed
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        path(self.0.path(), name)
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        write(self.0.path(), name, contents.as_ref());
        self.path(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.0.path()).unwrap().count()
    }
}

#[track_caller]
fn run(args: &[&str]) {
    assert_code(&wgnorm(args), 0);
}

/// Runs what is to be refused, with exit code 2 and all of the words.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let run = wgnorm(args);
    assert_code(&run, 2);
    let text = stderr(&run);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

/// The fields of a CSV file, without its header.
fn fields(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let record = |record: csv::Result<csv::StringRecord>| record.unwrap().iter().map(String::from).collect();
    reader.records().map(record).collect()
}

fn parquet(file: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
