//! Tables beside the libraries that read them: seconds, the least of three.
//!
//! `WGNORM_LARGE_GB=1 cargo bench -p wgnorm-cli --bench tables`

#[path = "../tests/common/large.rs"]
mod generate;

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use generate::{bytes, generate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// (Other work on the machine only adds.)
fn seconds(work: impl Fn()) -> f64 {
    let once = || {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn run(args: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    let status = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{args:?}");
}

fn read_csv(path: &str) {
    let mut reader = csv::Reader::from_path(path).expect("a CSV file");
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).expect("a record") {}
}

fn read_parquet(path: &str) {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let batches = reader.with_batch_size(1 << 16).build().expect("a reader");
    batches.for_each(|batch| drop(batch.expect("a batch")));
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = bytes(1.0);
    let (csv, parquet) = generate(folder.path(), bytes);
    println!("a CSV of {bytes} bytes, and the same as Parquet");
    println!("| table | the library alone, s | fit zscore | of its speed | fit robust | transform |");
    println!("|---|---|---|---|---|---|");
    for (table, alone) in [(&csv, read_csv as fn(&str)), (&parquet, read_parquet)] {
        let name = table.rsplit('.').next().expect("a name");
        let (params, out) = (format!("{table}.json"), format!("{table}.out.{name}"));
        let alone = seconds(|| alone(table));
        let fit = |scaler: &str| seconds(|| run(&["fit", table, "-o", &params, "--scaler", scaler]));
        let (robust, zscore) = (fit("robust"), fit("zscore"));
        let transform = seconds(|| run(&["transform", table, "--params", &params, "-o", &out]));
        println!(
            "| {name} | {alone:.2} | {zscore:.2} | {:.2} | {robust:.2} | {transform:.2} |",
            alone / zscore
        );
    }
}
