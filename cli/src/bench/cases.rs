//! Rows that a file lists, in one process: the device is opened, the copies are swept and clocks are raised once.

use std::fs;
use std::path::Path;

use clap::Parser;
use wgnorm::Context;

use super::measure::{How, Measurement};
use super::workload::Workload;
use super::{Bench, Direction};
use crate::console::{note, say};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::operation::{Op, Settings};

/// A line of the file.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[arg(value_enum)]
    op: Op,
    #[arg(value_delimiter = ',', required = true)]
    shape: Vec<usize>,
    #[command(flatten)]
    settings: Settings,
}

pub struct Case {
    /// The line's words, as the name of a file.
    name: String,
    workload: Workload,
}

/// The cases of a file; what follows a # is not read.
pub fn read(path: &Path) -> Result<Vec<Case>> {
    let refused = |what: &dyn std::fmt::Display| Failure::Input(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .zip(1..);
    let cases = lines
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number): (&str, u32)| case(line).map_err(|error| refused(&format!("line {number}: {error}"))));
    cases.collect()
}

fn case(line: &str) -> Result<Case, String> {
    let parsed = Line::try_parse_from(line.split_whitespace()).map_err(|error| error.kind().to_string())?;
    let words = line.replace(',', "x");
    let words = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    Ok(Case {
        name: words.collect::<Vec<_>>().join("-"),
        workload: Workload {
            settings: parsed.settings,
            ..Workload::new(parsed.op, &parsed.shape)
        },
    })
}

/// Measures each case and writes its row down at once. The first failure is returned when all are through.
pub fn measure(bench: &mut Bench, context: &Context, cases: Vec<Case>, how: How, folder: Option<&Path>) -> Result<()> {
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(|error| Failure::Input(format!("{}: {error}", folder.display())))?;
    }
    let measurement = Measurement::new(context, bench.copy.best, how)?;
    let (mut rows, mut result) = (Vec::new(), Ok(()));
    for Case { name, workload } in cases {
        let name = match how.direction {
            Direction::Forward => name,
            Direction::Backward => format!("{name}-backward"),
        };
        match measurement.row(&workload) {
            Ok(row) => {
                say!("{name}: {}, {:.3} ms", row.variant, row.kernel_ms.unwrap_or(row.gpu_ms));
                bench.rows = vec![row];
                if let Some(folder) = folder {
                    Output::create(&folder.join(format!("{name}.json")))?.save_json(bench)?;
                }
                rows.append(&mut bench.rows);
            }
            Err(failure) => {
                note("error", &format!("{name}: {failure}"));
                result = result.and(Err(failure));
            }
        }
    }
    bench.rows = rows;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cases() {
        let case = case("group 8,64,64,64 --groups 8").unwrap();
        assert_eq!(case.name, "group-8x64x64x64-groups-8");
        assert_eq!(case.workload.shape, [8, 64, 64, 64]);
        assert_eq!(case.workload.settings.groups, Some(8));
        for line in ["group", "nothing 1,2", "layer 1,b", "layer 1,2 --grous 3"] {
            assert!(super::case(line).is_err(), "{line}");
        }
    }
}
