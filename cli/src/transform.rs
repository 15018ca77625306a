//! `wgnorm transform` and `wgnorm inverse`: a table and parameters in, a table out.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::console::say;
use crate::device::DeviceArgs;
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::progress::Progress;
use crate::scaling::{Application, Direction, Parameters};
use crate::table::{CsvOptions, Format, Sink, are_images, open};
use crate::tensor::{self, Axes};

#[derive(Args, Debug)]
pub struct TransformArgs {
    /// The table: .csv or .tsv (also .gz), .parquet, .npy. Its columns are found by name, and may have another order. Or
    /// a folder of images.
    #[arg(value_name = "TABLE")]
    table: PathBuf,

    /// The parameters that `fit` wrote; or imagenet, for images.
    #[arg(long, value_name = "FILE")]
    params: PathBuf,

    /// Where the table goes, in the format that its name says; replaced only when complete. Columns that are not scaled
    /// pass through; a missing value stays one. Images become one float32 tensor, in .npy or .safetensors.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The axes of the tensor that images become: nchw if not given.
    #[arg(long, value_enum, value_name = "AXES")]
    layout: Option<Axes>,

    #[command(flatten)]
    csv: CsvOptions,
}

pub fn run(args: &TransformArgs, direction: Direction, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let output = Output::create(&args.output)?;
    output.refuse_replacing([&args.params])?;
    if let Some(json) = &json {
        json.refuse_replacing([args.table.as_path(), &args.params, output.path()])?;
    }
    if are_images(&args.table) {
        if direction == Direction::Inverse {
            return Err(Failure::input("images cannot be made of a tensor here"));
        }
        let parameters = Parameters::named(&args.params)?;
        let axes = args.layout.unwrap_or(Axes::Nchw);
        return tensor::run(&args.table, &parameters, axes, device, output, json);
    }
    if args.layout.is_some() {
        return Err(Failure::input("--layout is for images"));
    }
    let format = Format::of(&args.output)?;
    let table = open(&args.table, &args.csv)?;
    let parameters = Parameters::named(&args.params)?;
    let application = Application::new(table.as_ref(), &parameters, direction)?.on(device)?;
    let mut application = match format {
        Format::Npy => application.numbers_alone(),
        _ => application,
    };
    let mut sink = Sink::create(output, application.columns(), &args.csv)?;
    let mut progress = Progress::new(args.table.display().to_string(), table.bytes());
    for chunk in table.read_ahead(&application.wants(), &progress.read)? {
        let chunk = chunk?;
        sink.write(&application.apply(&chunk)?)?;
        progress.advance(chunk.rows);
    }
    let rows = progress.rows();
    drop(progress);
    if rows == 0 {
        return Err(table.failure("has no rows"));
    }
    if let Some(json) = json {
        json.save_json(&json!({ "rows": rows, "columns": table.columns().len() }))?;
    }
    sink.finish()?;
    say!("{rows} rows to {}", args.output.display());
    Ok(())
}
