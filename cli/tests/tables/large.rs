//! Tables larger than memory: speed beside the reading libraries alone, and peak memory.
//!
//! `WGNORM_LARGE_GB=5 cargo test --release -p wgnorm-cli --test tables -- --ignored --nocapture large`

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Place;

const COLUMNS: usize = 10;
/// Rows that are made, and then repeated.
const BLOCK: usize = 100_000;
/// The most memory that a command may take.
const MOST: u64 = 1 << 30;

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
fn generate(place: &Place, bytes: u64) -> (String, String) {
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
    let (csv, parquet) = (place.path("large.csv"), place.path("large.parquet"));
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

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    command.args(args).stdout(Stdio::null()).spawn().unwrap()
}

/// Runs the program; its seconds and its peak memory.
fn measured(args: &[&str]) -> (f64, u64) {
    let begin = Instant::now();
    let mut child = start(args);
    let (mut peak, status) = (0, format!("/proc/{}/status", child.id()));
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        if let Some(code) = child.try_wait().unwrap() {
            assert!(code.success(), "{args:?}");
            return (begin.elapsed().as_secs_f64(), peak);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The least of three: other work on the machine only adds.
fn seconds(work: impl Fn()) -> f64 {
    let once = || {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "takes gigabytes and minutes"]
fn large() {
    let gigabytes: f64 = std::env::var("WGNORM_LARGE_GB").map_or(5.0, |text| text.parse().unwrap());
    let place = Place::new();
    let (csv, parquet) = generate(&place, (gigabytes * 1e9) as u64);
    let csv_alone = seconds(|| {
        let mut reader = csv::Reader::from_path(&csv).unwrap();
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).unwrap() {}
    });
    let parquet_alone = seconds(|| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&parquet).unwrap()).unwrap();
        reader
            .with_batch_size(1 << 16)
            .build()
            .unwrap()
            .for_each(|batch| drop(batch.unwrap()));
    });
    let mut slow = Vec::new();
    for (table, alone) in [(&csv, csv_alone), (&parquet, parquet_alone)] {
        let (params, out) = (
            place.path("p.json"),
            format!("{}.out.{}", table, table.rsplit('.').next().unwrap()),
        );
        let zscore = ["fit", table, "-o", &params, "--scaler", "zscore"];
        let (robust, ordered) = measured(&["fit", table, "-o", &params, "--scaler", "robust"]);
        let runs: Vec<_> = (0..3).map(|_| measured(&zscore)).collect();
        let fit = runs.iter().map(|run| run.0).fold(f64::INFINITY, f64::min);
        let (transform, scaled) = measured(&["transform", table, "--params", &params, "-o", &out]);
        let memory = runs.iter().map(|run| run.1).chain([ordered, scaled]).max().unwrap();
        println!(
            "{table}: {} bytes; reading alone {alone:.1} s; fit {fit:.1} s, robust {robust:.1} s, transform {transform:.1} s; \
             at most {} MiB",
            fs::metadata(table).unwrap().len(),
            memory >> 20
        );
        assert!(memory < MOST);
        if fit > 2.0 * alone {
            slow.push(table);
        }
        fs::remove_file(&out).unwrap();
        // Killed half way: nothing under the final name.
        let mut child = start(&["transform", table, "--params", &params, "-o", &out]);
        std::thread::sleep(Duration::from_secs_f64(transform / 2.0));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!fs::exists(&out).unwrap());
    }
    assert!(slow.is_empty(), "less than half the speed of reading alone: {slow:?}");
}
