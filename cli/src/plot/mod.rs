//! `wgnorm plot`: histograms of the columns of a table, as they are and scaled.

mod draw;
mod panel;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::console::{note, say};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::scaling::assign::{ScaleArgs, find};
use crate::scaling::spec::{SCALERS, Scale};
use crate::scaling::{Application, Direction, Fit, Parameters, fit};
use crate::table::{CsvOptions, Table, open};
use panel::Panel;

/// Columns that are drawn where none are named.
const COLUMNS: usize = 16;

/// Draws histograms of the columns of a table: as they are, and as parameters or scalers make them.
///
/// Each panel tells how many values there are, how many are missing, and how many lie beyond the axis, which leaves out
/// outliers: what is three times the distance of the quartiles beyond them. Lines mark the median, the quartiles, and the quantiles of 5% and 95%. Of more
/// than four million values a column, every second, fourth, ... is taken.
///
///   wgnorm plot train.csv -o train.svg
///   wgnorm plot train.csv --params p.json -o before-after.png
///   wgnorm plot mixture.csv --scaler minmax --scaler zscore --scaler robust -o scalers.png
#[derive(Args, Debug)]
#[command(after_help = format!("Scalers:\n{SCALERS}"), verbatim_doc_comment)]
pub struct PlotArgs {
    /// The table: .csv or .tsv (also .gz), .parquet, .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,

    /// Also draws what these parameters, which `fit` wrote, make of the columns.
    #[arg(long, value_name = "FILE", conflicts_with = "scaler")]
    params: Option<PathBuf>,

    /// Also draws what a scaler, fitted to this table, makes of the columns; several can be given.
    #[arg(long, value_name = "NAME")]
    scaler: Vec<Scale>,

    /// The columns to draw: the first 16 of numbers, or those that are scaled, if not given.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Vec<String>,

    /// Bars of a histogram: twice the cube root of the number of values, and at most 60, if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    bins: Option<u16>,

    /// Where the figure goes: .svg or .png.
    #[arg(short, long, value_name = "FIGURE")]
    output: PathBuf,

    #[command(flatten)]
    csv: CsvOptions,
}

/// The format of a figure.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Svg,
    Png,
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Failure::Input(format!("{}: a figure is .svg or .png", path.display()))),
        }
    }
}

pub fn run(args: &PlotArgs, json: Option<Output>) -> Result<()> {
    let kind = Kind::of(&args.output)?;
    let output = Output::create(&args.output)?;
    let inputs = args.params.iter().chain([&args.table]);
    output.refuse_replacing(inputs.clone())?;
    if let Some(json) = &json {
        json.refuse_replacing(inputs.map(|path| path.as_path()).chain([output.path()]))?;
    }
    let table = open(&args.table, &args.csv)?;
    let table = table.as_ref();
    let given = args.params.as_deref().map(Parameters::named).transpose()?;
    let columns = args.columns(table, given.as_ref())?;

    let mut states: Vec<(String, Option<Parameters>)> = vec![("as it is".into(), None)];
    states.extend(given.map(|given| ("scaled".into(), Some(given))));
    for scale in &args.scaler {
        states.push((scale.to_string(), Some(fitted(table, scale, &columns)?)));
    }
    let mut rows = Vec::new();
    for (name, parameters) in &states {
        let application = parameters
            .as_ref()
            .map(|parameters| Application::new(table, parameters, Direction::Forward));
        let label = |column: usize| match parameters {
            Some(parameters) => parameters
                .scale_of(&table.columns()[column].name)
                .unwrap_or(name.clone()),
            None => name.clone(),
        };
        let panels = panel::panels(
            table,
            &columns,
            application.transpose()?,
            args.bins.map(usize::from),
            label,
        )?;
        rows.push(panels);
    }
    // By column, then by state.
    let panels: Vec<Vec<&Panel>> = (0..columns.len())
        .map(|i| rows.iter().map(|panels| &panels[i]).collect())
        .collect();
    output.save(&draw::draw(kind, &panels)?)?;
    if let Some(json) = json {
        json.save_json(&json!({ "panels": rows }))?;
    }
    say!("{} columns to {}", columns.len(), args.output.display());
    Ok(())
}

impl PlotArgs {
    /// The places of the columns to draw.
    fn columns(&self, table: &dyn Table, parameters: Option<&Parameters>) -> Result<Vec<usize>> {
        if !self.columns.is_empty() {
            return self.columns.iter().map(|name| find(table, name)).collect();
        }
        let scaled = |name: &str| parameters.is_none_or(|parameters| parameters.scale_of(name).is_some());
        let mut columns: Vec<usize> = (table.columns().iter().enumerate())
            .filter(|(_, column)| column.is_number() && scaled(&column.name))
            .map(|(i, _)| i)
            .collect();
        if columns.is_empty() {
            return Err(table.failure("has no column of numbers to draw"));
        }
        if columns.len() > COLUMNS {
            let count = columns.len();
            note(
                "note",
                &format!("the first {COLUMNS} of {count} columns are drawn; --columns chooses others"),
            );
            columns.truncate(COLUMNS);
        }
        Ok(columns)
    }
}

/// The parameters of a scaler of some columns.
fn fitted(table: &dyn Table, scale: &Scale, columns: &[usize]) -> Result<Parameters> {
    let scales = ScaleArgs {
        scaler: Some(scale.clone()),
        columns: columns
            .iter()
            .map(|&column| table.columns()[column].name.clone())
            .collect(),
        scales: Vec::new(),
    };
    let plan = Fit {
        parts: scales.parts(table, &[])?,
        by: None,
        weight: None,
        gpu: None,
    };
    fit(table, &plan)
}
