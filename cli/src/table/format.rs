//! Which format a file has, and what has to be said about CSV.

use std::path::Path;

use clap::Args;

use crate::failure::{Failure, Result};

/// The format of a table, told by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv { gzip: bool, tabs: bool },
    Parquet,
    Npy,
}

impl Format {
    pub fn of(path: &Path) -> Result<Self> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_ascii_lowercase();
        let (name, gzip) = match name.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (&*name, false),
        };
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "csv" => Ok(Self::Csv { gzip, tabs: false }),
            "tsv" => Ok(Self::Csv { gzip, tabs: true }),
            "parquet" | "pq" if !gzip => Ok(Self::Parquet),
            "npy" if !gzip => Ok(Self::Npy),
            _ => Err(Failure::Input(format!(
                "{}: .csv, .tsv (also .gz), .parquet or .npy is needed",
                path.display()
            ))),
        }
    }
}

/// How CSV files are written.
#[derive(Args, Debug, Clone, Default)]
pub struct CsvOptions {
    /// What stands between the fields of a CSV file: one character, or `tab`. A comma, and a tab in .tsv files, if not
    /// given. Output has the same.
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    delimiter: Option<u8>,

    /// The first line of a CSV file is data; columns are called 0, 1, 2, ...
    #[arg(long)]
    no_header: bool,
}

impl CsvOptions {
    /// With tabs, where no other delimiter is given.
    pub fn with_tabs(&self, tabs: bool) -> Self {
        let by_name = if tabs { b'\t' } else { b',' };
        Self {
            delimiter: Some(self.delimiter.unwrap_or(by_name)),
            no_header: self.no_header,
        }
    }

    pub fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(b',')
    }

    pub fn has_header(&self) -> bool {
        !self.no_header
    }
}

fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [b'"' | b'\n' | b'\r'] => Err("this cannot stand between fields".into()),
        [character] if character.is_ascii() => Ok(*character),
        _ => Err("one ASCII character, or tab, is needed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_names() {
        let of = |name: &str| Format::of(Path::new(name)).ok();
        let csv = |gzip, tabs| Some(Format::Csv { gzip, tabs });
        assert_eq!(of("a/b.CSV"), csv(false, false));
        assert_eq!(of("b.tsv.gz"), csv(true, true));
        assert_eq!(of("b.parquet"), Some(Format::Parquet));
        assert_eq!((of("b.npy.gz"), of("csv"), of("b.txt")), (None, None, None));
    }

    #[test]
    fn delimiters_are_characters() {
        assert_eq!(parse_delimiter("tab"), Ok(b'\t'));
        assert_eq!(parse_delimiter(";"), Ok(b';'));
        assert!(parse_delimiter("\"").is_err() && parse_delimiter("ab").is_err() && parse_delimiter("é").is_err());
    }
}
