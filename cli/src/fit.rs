//! `wgnorm fit`: a table in, parameters out.

use std::path::PathBuf;

use clap::Args;

use crate::console::say;
use crate::device::DeviceArgs;
use crate::failure::Result;
use crate::files::Output;
use crate::scaling::assign::{ScaleArgs, find};
use crate::scaling::spec::SCALERS;
use crate::scaling::{Fit, Gpu, fit};
use crate::table::{CsvOptions, open};

/// Learns how to scale the columns of a table: .csv or .tsv (also .gz), .parquet, .npy.
///
/// Empty fields, NA and NaN are missing values, of which nothing is learned. Tables may be larger than memory. robust
/// takes order statistics: it reads a table that does not fit in 256 MB six times.
///
/// A folder of images (.png, .jpg, 8 or 16 bits) is a table too: its rows are the pixels of all images, its columns the
/// channels r, g, b (or gray; with a, where there is transparency), from 0 to 1.
///
///   wgnorm fit train.csv --scaler robust -o robust.json
///   wgnorm fit train.csv --scale 'age=range:20:70' --scale 'income=log+zscore' --scale '*=robust' -o p.json
///   wgnorm fit scans.parquet --scaler zscore --columns intensity --by device_id -o p.json
///   wgnorm fit photos/ --scaler zscore -o photos.json
#[derive(Args, Debug)]
#[command(after_help = format!("Scalers:\n{SCALERS}"), verbatim_doc_comment)]
pub struct FitArgs {
    /// The table to learn from.
    #[arg(value_name = "TABLE")]
    table: PathBuf,

    /// Where the parameters go: JSON.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    scales: ScaleArgs,

    /// A column, of numbers or text, each of whose values gets parameters of its own.
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,

    /// A column with the weights of the rows, for zscore.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,

    #[command(flatten)]
    csv: CsvOptions,
}

pub fn run(args: &FitArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let output = Output::create(&args.output)?;
    output.refuse_replacing([&args.table])?;
    if let Some(json) = &json {
        json.refuse_replacing([args.table.as_path(), output.path()])?;
    }
    let table = open(&args.table, &args.csv)?;
    let table = table.as_ref();
    let place = |name: &Option<String>| name.as_deref().map(|name| find(table, name)).transpose();
    let (by, weight) = (place(&args.by)?, place(&args.weight)?);
    let others: Vec<usize> = by.into_iter().chain(weight).collect();
    let parts = args.scales.parts(table, &others)?;
    let gpu = Gpu::open(device, table, parts.iter().map(|part| (&part.scale, &part.columns[..])))?;
    let plan = Fit {
        parts,
        by,
        weight,
        gpu: gpu.as_ref(),
    };
    let parameters = fit(table, &plan)?;
    say!("{}", parameters.summary());
    if let Some(json) = json {
        json.save_json(&parameters)?;
    }
    output.save_json(&parameters)
}
