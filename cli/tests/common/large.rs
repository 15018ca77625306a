//! Tables of some gigabytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use parquet::arrow::ArrowWriter;

const COLUMNS: usize = 10;
/// Rows that are made, and then repeated.
const BLOCK: usize = 100_000;
fn column(column: usize) -> Vec<f64> {
    let mut state = column as u64 + 1;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Four decimals.
        ((state >> 40) as f64 - 8e6) / 1e4
    };
    (0..BLOCK).map(|_| next()).collect()
}

/// The same rows as CSV of so many bytes and as Parquet.
pub fn generate(folder: &Path, bytes: u64) -> (String, String) {
    let columns: Vec<Vec<f64>> = (0..COLUMNS).map(column).collect();
    let mut block = Vec::new();
    for row in 0..BLOCK {
        let fields: Vec<String> = columns.iter().map(|column| column[row].to_string()).collect();
        writeln!(block, "{}", fields.join(",")).unwrap();
    }
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("c{i}")).collect();
    let arrays = columns
        .into_iter()
        .map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
    let batch = RecordBatch::try_from_iter(names.iter().zip(arrays)).unwrap();
    let (csv, parquet) = (path(folder, "large.csv"), path(folder, "large.parquet"));
    let mut text = BufWriter::new(File::create(&csv).unwrap());
    writeln!(text, "{}", names.join(",")).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&parquet).unwrap(), batch.schema(), None).unwrap();
    for _ in 0..bytes.div_ceil(block.len() as u64) {
        text.write_all(&block).unwrap();
        writer.write(&batch).unwrap();
    }
    text.flush().unwrap();
    writer.close().unwrap();
    (csv, parquet)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("a temporary folder").to_owned()
}

/// Bytes of the CSV: as many gigabytes as `WGNORM_LARGE_GB` says, or these.
pub fn bytes(gigabytes: f64) -> u64 {
    let given = std::env::var("WGNORM_LARGE_GB").map_or(gigabytes, |text| text.parse().expect("a number"));
    (given * 1e9) as u64
}
