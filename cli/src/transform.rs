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

/// Scales the columns of a table, or of images, as `fit` has learned.
///
/// Columns are found by name, and may have another order. Those that are not scaled pass through as they are; a missing
/// value stays one. A folder of images (.png, .jpg) of one size becomes one float32 tensor.
///
///   wgnorm transform new.csv --params p.json -o scaled.parquet
///   wgnorm transform photos/ --params imagenet --layout nchw -o photos.npy
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct TransformArgs {
    #[command(flatten)]
    tables: Tables,

    /// The axes of the tensor that images become: nchw if not given.
    #[arg(long, value_enum, value_name = "AXES")]
    layout: Option<Axes>,
}

/// Undoes `transform`: of all numbers that it makes the same of, the one with the fewest digits.
///
/// Norms of rows (l1, l2, max) are not kept, and cannot be undone.
///
///   wgnorm inverse scaled.parquet --params p.json -o original.csv
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct InverseArgs {
    #[command(flatten)]
    tables: Tables,
}

#[derive(Args, Debug)]
struct Tables {
    /// The table: .csv or .tsv (also .gz), .parquet, .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,

    /// The parameters that `fit` wrote; or imagenet, for images.
    #[arg(long, value_name = "FILE")]
    params: PathBuf,

    /// Where the table goes, in the format that its name says; a tensor's is .npy or .safetensors. Replaced only when
    /// complete.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    csv: CsvOptions,
}

pub fn transform(args: &TransformArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let Tables { table, params, .. } = &args.tables;
    if !are_images(table) {
        return match args.layout {
            Some(_) => Err(Failure::input("--layout is for images")),
            None => run(&args.tables, Direction::Forward, device, json),
        };
    }
    let output = args.tables.output(json.as_ref())?;
    let axes = args.layout.unwrap_or(Axes::Nchw);
    tensor::run(table, &Parameters::named(params)?, axes, device, output, json)
}

pub fn inverse(args: &InverseArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    if are_images(&args.tables.table) {
        return Err(Failure::input("images are not scaled, there is nothing to undo"));
    }
    run(&args.tables, Direction::Inverse, device, json)
}

impl Tables {
    /// The output, if nothing that is needed would be lost by it or by the JSON.
    fn output(&self, json: Option<&Output>) -> Result<Output> {
        let output = Output::create(&self.output)?;
        output.refuse_replacing([&self.params])?;
        if let Some(json) = json {
            json.refuse_replacing([self.table.as_path(), &self.params, output.path()])?;
        }
        Ok(output)
    }
}

fn run(args: &Tables, direction: Direction, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let output = args.output(json.as_ref())?;
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
