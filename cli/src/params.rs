//! `wgnorm params`: what is in parameter files, and scikit-learn's.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::console::say;
use crate::failure::{Failure, Result};
use crate::files::{Npz, Output, npz, read_bytes};
use crate::report;
use crate::scaling::spec::Scale;
use crate::scaling::{ColumnRecord, Fitted, Parameters, PartParameters, Scalers, sklearn};

#[derive(Args, Debug)]
pub struct ParamsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows how each column is scaled: y = (x - center) / scale + offset.
    Show {
        /// The parameters that `fit` wrote.
        #[arg(value_name = "FILE")]
        params: PathBuf,
    },
    /// Makes parameters of the attributes of a fitted scikit-learn scaler.
    ///
    /// Of a StandardScaler mean_, var_ and n_samples_seen_ are needed; of a MinMaxScaler data_min_ and data_max_, and
    /// feature_range where it is not 0 to 1; of a MaxAbsScaler max_abs_; of a RobustScaler center_ and scale_; of a
    /// QuantileTransformer quantiles_; of a PowerTransformer lambdas_, with mean_ and var_ of its _scaler if it standardizes:
    ///
    ///   numpy.savez("scaler.npz", mean_=s.mean_, var_=s.var_, n_samples_seen_=s.n_samples_seen_)
    #[command(verbatim_doc_comment)]
    Import {
        /// Arrays named as the attributes are.
        #[arg(value_name = "FILE.npz")]
        arrays: PathBuf,
        /// The names of the columns, in the order of the arrays; 0, 1, 2, ... if not given.
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        columns: Vec<String>,
        /// What the arrays do not say: quantile:normal, power:box-cox.
        #[arg(long, value_name = "NAME")]
        scaler: Option<Scale>,
        /// Where the parameters go: JSON.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Writes parameters as the attributes of a scikit-learn scaler.
    Export {
        /// The parameters that `fit` wrote, without --by.
        #[arg(value_name = "FILE")]
        params: PathBuf,
        /// Which scaler is written, where the file has several.
        #[arg(long, value_name = "NAME")]
        scaler: Option<Scale>,
        /// Where the arrays go.
        #[arg(short, long, value_name = "FILE.npz")]
        output: PathBuf,
    },
}

pub fn run(args: &ParamsArgs, json: Option<Output>) -> Result<()> {
    match &args.command {
        Command::Show { params } => {
            let parameters = Parameters::named(params)?;
            say!("{}\n{}", parameters.summary(), table(&parameters));
            match json {
                Some(json) => json.save_json(&parameters),
                None => Ok(()),
            }
        }
        _ if json.is_some() => Err(Failure::input("--json goes with params show")),
        Command::Import {
            arrays,
            columns,
            scaler,
            output,
        } => {
            let output = Output::create(output)?;
            output.refuse_replacing([arrays])?;
            output.save_json(&import(arrays, columns, scaler.as_ref())?)
        }
        Command::Export { params, scaler, output } => {
            let output = Output::create(output)?;
            output.refuse_replacing([params])?;
            let refuse = |message: String| Failure::Input(format!("{}: {message}", params.display()));
            let parameters = Parameters::named(params)?;
            let part = chosen(&parameters, scaler.as_ref()).map_err(refuse)?;
            let Scalers::OfAllRows(learned) = &part.learned else {
                return Err(refuse(
                    "was fitted with --by, scikit-learn's scalers have no keys".into(),
                ));
            };
            let exported = sklearn::export(&part.scale, learned, parameters.fitted.rows);
            let file = exported.and_then(|arrays| npz(&arrays)).map_err(refuse)?;
            output.save(&file)?;
            say!("{} of {}", part.scale, part.columns.join(", "));
            Ok(())
        }
    }
}

fn chosen<'a>(parameters: &'a Parameters, scaler: Option<&Scale>) -> Result<&'a PartParameters, String> {
    let parts = &parameters.scalers;
    let names: Vec<String> = parts.iter().map(|part| part.scale.to_string()).collect();
    match (scaler, &parts[..]) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!(
            "holds several scalers, add --scaler, one of {}",
            names.join(", ")
        )),
        (Some(scaler), _) => {
            let found = parts.iter().find(|part| part.scale == *scaler);
            found.ok_or_else(|| format!("does not hold {scaler}, but {}", names.join(", ")))
        }
    }
}

fn import(path: &Path, columns: &[String], scaler: Option<&Scale>) -> Result<Parameters> {
    let refuse = |message: String| Failure::Input(format!("{}: {message}", path.display()));
    let bytes = read_bytes(path)?;
    let imported = Npz::open(&bytes)
        .and_then(|mut file| sklearn::import(&mut file, scaler))
        .map_err(refuse)?;
    let count = imported.scaler.features();
    let columns: Vec<String> = match columns.len() {
        0 => (0..count).map(|i| i.to_string()).collect(),
        given if given == count => columns.to_vec(),
        given => return Err(refuse(format!("has {count} columns, --columns names {given}"))),
    };
    let fitted = Fitted {
        program: "scikit-learn".into(),
        table: path.file_name().unwrap_or_default().display().to_string(),
        rows: imported.rows,
        readings: 0,
        by: None,
        weight: None,
    };
    let part = PartParameters {
        scale: imported.scale,
        columns: columns.clone(),
        learned: Scalers::OfAllRows(imported.scaler),
    };
    let records = columns.into_iter().map(Parameters::unseen_column).collect();
    let parameters = Parameters::new(fitted, records, vec![part]);
    parameters.check().map_err(refuse)?;
    Ok(parameters)
}

/// A row for every column, and key.
fn table(parameters: &Parameters) -> Table {
    let header = [
        "column", "key", "type", "scaler", "values", "missing", "center", "scale", "offset",
    ];
    let mut table = report::table(&header, 4);
    for part in &parameters.scalers {
        for (i, name) in part.columns.iter().enumerate() {
            let record = parameters.columns.iter().find(|record| record.name == *name);
            let count = |count: fn(&ColumnRecord) -> Option<u64>| {
                record.and_then(count).map_or(String::new(), |count| count.to_string())
            };
            for (key, scaler) in part.learned.iter() {
                let number = |numbers: &[f64]| numbers.get(i).map_or(String::new(), |number| number.to_string());
                table.add_row([
                    name.clone(),
                    key.unwrap_or_default().to_owned(),
                    record.map_or(String::new(), |record| record.type_name.clone()),
                    part.scale.to_string(),
                    count(|record| record.values),
                    count(|record| record.missing),
                    number(scaler.center()),
                    number(scaler.scale()),
                    number(scaler.offset()),
                ]);
            }
        }
    }
    table
}
