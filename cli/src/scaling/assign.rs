//! Which column is scaled how: `--scaler NAME --columns a,b` and `--scale 'COLUMN=NAME'`.

use std::str::FromStr;

use clap::Args;

use super::spec::Scale;
use crate::failure::{Failure, Result};
use crate::suggest::did_you_mean;
use crate::table::Table;

/// What is scaled how.
#[derive(Args, Debug, Clone, Default)]
pub struct ScaleArgs {
    /// How the columns are scaled.
    #[arg(long, value_name = "NAME")]
    pub scaler: Option<Scale>,

    /// The columns that --scaler scales, of all that hold numbers.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "scaler")]
    pub columns: Vec<String>,

    /// How a column is scaled, or all that a pattern with * fits and that hold numbers; the first that fits counts.
    /// Columns that none fits stay as they are.
    #[arg(long = "scale", value_name = "COLUMN=NAME", conflicts_with = "scaler")]
    pub scales: Vec<ColumnScale>,
}

/// `COLUMN=NAME`.
#[derive(Debug, Clone)]
pub struct ColumnScale {
    pattern: String,
    scale: Scale,
}

impl FromStr for ColumnScale {
    type Err = String;

    /// Splits at the last "=", which no scaler has.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((pattern, scale)) = text.rsplit_once('=') else {
            return Err("COLUMN=NAME is needed, as in 'age=range:20:70' or '*=robust'".into());
        };
        Ok(Self {
            pattern: pattern.to_owned(),
            scale: scale.parse()?,
        })
    }
}

/// Columns, by their places in the table, that are scaled alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub scale: Scale,
    pub columns: Vec<usize>,
}

impl ScaleArgs {
    /// The columns of a table by how they are scaled. `others` have another use, and no pattern takes them.
    pub fn parts(&self, table: &dyn Table, others: &[usize]) -> Result<Vec<Part>> {
        let given = match &self.scaler {
            Some(scale) if self.columns.is_empty() => vec![("*", scale)],
            Some(scale) => self.columns.iter().map(|name| (name.as_str(), scale)).collect(),
            None => (self.scales.iter())
                .map(|given| (given.pattern.as_str(), &given.scale))
                .collect(),
        };
        if given.is_empty() {
            return Err(Failure::input("--scaler NAME or --scale 'COLUMN=NAME' is needed"));
        }
        let mut scale_of: Vec<Option<&Scale>> = vec![None; table.columns().len()];
        for (pattern, scale) in given {
            let exact = table.columns().iter().position(|column| column.name == pattern);
            let fitting: Vec<usize> = match exact {
                Some(column) => {
                    check_number(table, column)?;
                    vec![column]
                }
                None if pattern.contains('*') => (table.columns().iter().enumerate())
                    .filter(|(i, column)| fits(pattern, &column.name) && column.is_number() && !others.contains(i))
                    .map(|(i, _)| i)
                    .collect(),
                None => return Err(missing(table, pattern)),
            };
            let free: Vec<usize> = fitting.iter().copied().filter(|&i| scale_of[i].is_none()).collect();
            if free.is_empty() {
                return Err(table.failure(match fitting.is_empty() {
                    true => format!("no column of numbers fits {pattern:?}"),
                    false => format!("{pattern:?}: an earlier --scale has these columns"),
                }));
            }
            free.into_iter().for_each(|i| scale_of[i] = Some(scale));
        }
        Ok(together(&scale_of))
    }
}

/// Columns that are scaled alike, together, in the order of the table.
fn together(scale_of: &[Option<&Scale>]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, scale) in scale_of.iter().enumerate() {
        let Some(scale) = scale else { continue };
        match parts.iter_mut().find(|part| part.scale == **scale) {
            Some(part) => part.columns.push(i),
            None => parts.push(Part {
                scale: (*scale).clone(),
                columns: vec![i],
            }),
        }
    }
    parts
}

/// Finds a column by its name.
pub fn find(table: &dyn Table, name: &str) -> Result<usize> {
    let found = table.columns().iter().position(|column| column.name == name);
    found.ok_or_else(|| missing(table, name))
}

fn missing(table: &dyn Table, name: &str) -> Failure {
    const SHOWN: usize = 20;
    let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    table.failure(format!(
        "has no column {name:?}{}; it has {}{more}",
        did_you_mean(name, names.iter().copied()),
        names[..names.len().min(SHOWN)].join(", ")
    ))
}

/// Refuses a column of no numbers; of CSV, whose types are guessed, the reading will tell the row.
pub fn check_number(table: &dyn Table, i: usize) -> Result<()> {
    let column = &table.columns()[i];
    match column.is_number() || table.types_are_guessed() {
        true => Ok(()),
        false => Err(table.failure(format!(
            "column {:?} is of type {}, numbers are needed",
            column.name,
            column.type_name()
        ))),
    }
}

/// Whether a pattern, in which * stands for any text, fits all of a name.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            match rest.split_once(between) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "a"),
            ("a*", "ab"),
            ("*_x", "a_x"),
            ("a*b*c", "a1b2bc"),
            ("a", "a"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a*", "ba"), ("*a", "ab"), ("a*a", "a"), ("a", "ab"), ("a*b*c", "acb")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn columns_may_have_equals_signs() {
        let given: ColumnScale = "a=b=log+zscore".parse().unwrap();
        assert_eq!(
            (given.pattern.as_str(), given.scale.to_string().as_str()),
            ("a=b", "log+zscore")
        );
        assert!("zscore".parse::<ColumnScale>().is_err());
    }
}
