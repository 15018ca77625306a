//! Parameters in files: JSON for people to read, with a version.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wgnorm::scaler::{FixedRange, Method, Scaler};

use super::assign::{check_number, find};
use super::spec::Scale;
use crate::console::note;
use crate::failure::{Failure, Result};
use crate::files::read_bytes;
use crate::table::Table;

const FORMAT: &str = "wgnorm parameters";
const VERSION: u32 = 1;
const IMAGENET: &str = "imagenet";

/// All that `fit` learned of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    format: String,
    version: u32,
    pub fitted: Fitted,
    /// The columns of the table, in its order.
    pub columns: Vec<ColumnRecord>,
    pub scalers: Vec<PartParameters>,
}

/// How the parameters were come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    pub program: String,
    /// The name of the file.
    pub table: String,
    pub rows: u64,
    /// How often the file was read.
    pub readings: usize,
    /// The column whose values have parameters of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The column with the weights of the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
}

/// A column of the fitted table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRecord {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    /// Of a scaled column, how many values there were, and how many rows had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
}

/// Columns that are scaled alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartParameters {
    pub scale: Scale,
    pub columns: Vec<String>,
    pub learned: Scalers,
}

/// What was learned of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalers {
    OfAllRows(Scaler),
    ByKey(BTreeMap<String, Scaler>),
}

impl Scalers {
    /// Each with its key, if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &Scaler)> {
        let (one, many) = match self {
            Self::OfAllRows(scaler) => (Some((None, scaler)), None),
            Self::ByKey(scalers) => (
                None,
                Some(scalers.iter().map(|(key, scaler)| (Some(key.as_str()), scaler))),
            ),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl Parameters {
    pub fn new(fitted: Fitted, columns: Vec<ColumnRecord>, scalers: Vec<PartParameters>) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            fitted,
            columns,
            scalers,
        }
    }

    /// Mean and deviation of the training images of ImageNet, by channel, as torchvision has them.
    pub fn imagenet() -> Result<Self> {
        const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
        const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];
        let columns = ["r", "g", "b"].map(String::from);
        let fitted = Fitted {
            program: "torchvision".into(),
            table: IMAGENET.into(),
            rows: 0,
            readings: 0,
            by: None,
            weight: None,
        };
        let part = PartParameters {
            scale: "zscore".parse().map_err(Failure::Input)?,
            columns: columns.to_vec(),
            learned: Scalers::OfAllRows(FixedRange::new(&MEAN, &DEVIATION)?.scaler(3)?),
        };
        Ok(Self::new(fitted, columns.map(Self::unseen_column).to_vec(), vec![part]))
    }

    /// Reads a file, or takes what has a name: `imagenet`.
    pub fn named(name: &Path) -> Result<Self> {
        match name.to_str() {
            Some(IMAGENET) if !name.exists() => Self::imagenet(),
            _ => Self::read(name),
        }
    }

    /// Reads a file; refuses one of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |message: String| Failure::Input(format!("{}: {message}", path.display()));
        let value: serde_json::Value = serde_json::from_slice(&read_bytes(path)?)
            .map_err(|error| refuse(format!("not parameters of this program: {error}")))?;
        if value.get("format").and_then(|format| format.as_str()) != Some(FORMAT) {
            return Err(refuse(format!(
                "not parameters of this program: \"format\" is not {FORMAT:?}"
            )));
        }
        let version = value.get("version").cloned().unwrap_or_default();
        if version != VERSION {
            return Err(refuse(format!(
                "the parameters are of version {version}, this program reads version {VERSION}"
            )));
        }
        let parameters: Self = serde_json::from_value(value).map_err(|error| refuse(error.to_string()))?;
        parameters.check().map_err(refuse)?;
        Ok(parameters)
    }

    /// How a column is scaled, if it is.
    pub fn scale_of(&self, column: &str) -> Option<String> {
        let part = self
            .scalers
            .iter()
            .find(|part| part.columns.iter().any(|name| name == column));
        part.map(|part| part.scale.to_string())
    }

    /// What was learned, for people.
    pub fn summary(&self) -> String {
        let Fitted { table, rows, .. } = &self.fitted;
        let mut text = format!("{table}: {rows} rows");
        if let Some(by) = &self.fitted.by {
            let keys = self.scalers.iter().map(|part| part.learned.iter().count()).max();
            text += &format!(", {} values of {by}", keys.unwrap_or(0));
        }
        if self.fitted.readings > 1 {
            text += &format!(", read {} times", self.fitted.readings);
        }
        for PartParameters { scale, columns, .. } in &self.scalers {
            text += &format!("\n{scale:<12} {}", columns.join(", "));
        }
        text
    }

    /// A column of which nothing is known but its name.
    pub fn unseen_column(name: String) -> ColumnRecord {
        ColumnRecord {
            name,
            type_name: "float64".into(),
            values: None,
            missing: None,
        }
    }

    /// Refuses what a `fit` could not have written.
    pub fn check(&self) -> Result<(), String> {
        let mut names: Vec<&String> = self.scalers.iter().flat_map(|part| &part.columns).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < count {
            return Err("a column is scaled twice".into());
        }
        for PartParameters {
            scale,
            columns,
            learned,
        } in &self.scalers
        {
            for (_, scaler) in learned.iter() {
                if scaler.features() != columns.len() {
                    let features = scaler.features();
                    return Err(format!("{scale} has {features} columns, {} are named", columns.len()));
                }
                // What was given, and not learned, may stand for anything.
                let (method, given) = (scaler.method(), matches!(scaler.method(), Method::FixedRange(_)));
                if method.name() != scale.method.name() && !given {
                    return Err(format!("{scale} has the parameters of {}", method.name()));
                }
            }
            if matches!(learned, Scalers::ByKey(_)) != self.fitted.by.is_some() {
                return Err(format!("{scale}: the keys and \"by\" do not go together"));
            }
        }
        Ok(())
    }

    /// Where the scaled columns are in a table, by part, and the column of keys. Columns are found by name, in any order.
    pub fn places(&self, table: &dyn Table) -> Result<(Vec<Vec<usize>>, Option<usize>)> {
        let place = |name: &String| {
            let place = find(table, name).map_err(|failure| {
                Failure::Input(format!("the parameters were fitted with other columns: {failure}"))
            })?;
            check_number(table, place).map(|()| place)
        };
        let parts = (self.scalers.iter()).map(|part| part.columns.iter().map(place).collect());
        let parts = parts.collect::<Result<_>>()?;
        let by = self.fitted.by.as_deref().map(|name| find(table, name)).transpose()?;
        self.tell_differences(table);
        Ok((parts, by))
    }

    /// Columns that pass through need not be the same, but may be a mistake.
    fn tell_differences(&self, table: &dyn Table) {
        let known = |name: &str| self.columns.iter().any(|column| column.name == name);
        let new = table
            .columns()
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| !known(name));
        let here = |name: &str| table.columns().iter().any(|column| column.name == name);
        let gone = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| !here(name));
        let tell = |what: &str, names: Vec<&str>| {
            if !names.is_empty() {
                note(
                    "note",
                    &format!("{} {what}: {}", table.path().display(), names.join(", ")),
                );
            }
        };
        tell("has columns that were not fitted and pass through", new.collect());
        tell(
            "lacks columns that the fitted table had and that were not scaled",
            gone.collect(),
        );
    }
}
