//! The result of a verification: JSON for machines, tables for people.

use crate::console::say;
use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::Map;
use wgnorm::verify::{Comparison, Tolerance};

#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passed,
    Failed,
    /// Of a case: some of its tensors were skipped, the others passed.
    Partial,
    Skipped,
}

#[derive(Serialize, Debug)]
pub struct Report {
    pub adapter: String,
    pub passed: usize,
    pub failed: usize,
    pub partial: usize,
    pub skipped: usize,
    pub cases: Vec<CaseReport>,
}

#[derive(Serialize, Debug)]
pub struct CaseReport {
    pub id: String,
    pub op: String,
    pub status: Status,
    pub reason: Option<String>,
    pub variant: Option<&'static str>,
    /// How the tensors were held, where not plainly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrangement: Option<&'static str>,
    pub dispatches: usize,
    pub tensors: Map<String, serde_json::Value>,
    /// For the table.
    #[serde(skip)]
    pub errors: Errors,
}

/// The largest errors as shares of what the tolerances allow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Errors {
    pub y: f64,
    pub mean: f64,
    pub rstd: f64,
    pub running: f64,
    pub dx: f64,
    /// Of dweight and dbias.
    pub parameters: f64,
}

#[derive(Serialize)]
struct Tol {
    rtol: f64,
    atol: f64,
}

#[derive(Serialize)]
struct TensorReport {
    status: Status,
    max_abs_err: Option<f64>,
    max_rel_err: Option<f64>,
    nonfinite_mismatch: Option<usize>,
    tol: Option<Tol>,
}

impl Report {
    pub fn new(adapter: String) -> Self {
        Self {
            adapter,
            passed: 0,
            failed: 0,
            partial: 0,
            skipped: 0,
            cases: Vec::new(),
        }
    }

    pub fn push(&mut self, case: CaseReport) {
        match case.status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Partial => self.partial += 1,
            Status::Skipped => self.skipped += 1,
        }
        self.cases.push(case);
    }

    /// Prints every failed case and one line of counts.
    pub fn print_summary(&self) {
        for case in self.cases.iter().filter(|case| case.status == Status::Failed) {
            let reason = case.reason.as_deref().unwrap_or("outside the tolerance");
            let how = [case.variant, case.arrangement]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            say!("FAILED {} {}: {reason}", case.id, how.join(" "));
        }
        say!(
            "{} passed, {} failed, {} partial, {} skipped on {}",
            self.passed,
            self.failed,
            self.partial,
            self.skipped,
            self.adapter
        );
    }

    /// The largest error per operation and variant.
    pub fn table(&self) -> Table {
        #[derive(Default)]
        struct Row {
            cases: usize,
            failed: usize,
            errors: Errors,
        }
        let mut rows: BTreeMap<(&str, &str), Row> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| case.status != Status::Skipped) {
            let row = rows.entry((&case.op, case.variant.unwrap_or("none"))).or_default();
            row.cases += 1;
            row.failed += usize::from(case.status == Status::Failed);
            let (largest, errors) = (&mut row.errors, &case.errors);
            largest.y = largest.y.max(errors.y);
            largest.mean = largest.mean.max(errors.mean);
            largest.rstd = largest.rstd.max(errors.rstd);
            largest.running = largest.running.max(errors.running);
            largest.dx = largest.dx.max(errors.dx);
            largest.parameters = largest.parameters.max(errors.parameters);
        }
        let mut table = table(
            &[
                "operation",
                "variant",
                "cases",
                "failed",
                "y",
                "mean",
                "rstd",
                "running",
                "dx",
                "dweight, dbias",
            ],
            2,
        );
        for ((op, variant), row) in rows {
            let share = |value: f64| format!("{value:.3}");
            table.add_row([
                op.to_owned(),
                variant.to_owned(),
                row.cases.to_string(),
                row.failed.to_string(),
                share(row.errors.y),
                share(row.errors.mean),
                share(row.errors.rstd),
                share(row.errors.running),
                share(row.errors.dx),
                share(row.errors.parameters),
            ]);
        }
        table
    }
}

/// Explains the numbers of [`Report::table`].
pub const TABLE_CAPTION: &str = "largest error as a share of what the tolerance allows (1 is the limit)";

impl CaseReport {
    pub fn new(id: &str, op: &str) -> Self {
        Self {
            id: id.to_owned(),
            op: op.to_owned(),
            status: Status::Passed,
            reason: None,
            variant: None,
            arrangement: None,
            dispatches: 0,
            tensors: Map::new(),
            errors: Errors::default(),
        }
    }

    pub fn fail(&mut self, reason: impl Into<String>) {
        self.status = Status::Failed;
        self.reason.get_or_insert(reason.into());
    }

    pub fn skip(&mut self, reason: impl Into<String>) {
        self.status = Status::Skipped;
        self.reason = Some(reason.into());
    }

    /// Adds a compared tensor.
    pub fn compared(&mut self, name: &str, comparison: &Comparison, tolerance: &Tolerance) {
        let status = if comparison.passed {
            Status::Passed
        } else {
            Status::Failed
        };
        self.insert(
            name,
            TensorReport {
                status,
                max_abs_err: Some(comparison.max_abs_err),
                max_rel_err: Some(comparison.max_rel_err),
                nonfinite_mismatch: Some(comparison.nonfinite_mismatch),
                tol: Some(Tol {
                    rtol: tolerance.rtol,
                    atol: tolerance.atol,
                }),
            },
        );
        let slot = match name {
            "y" => &mut self.errors.y,
            "mean" => &mut self.errors.mean,
            "rstd" => &mut self.errors.rstd,
            "dx" => &mut self.errors.dx,
            "dweight" | "dbias" => &mut self.errors.parameters,
            _ => &mut self.errors.running,
        };
        *slot = slot.max(share(comparison, tolerance));
        if !comparison.passed {
            self.fail(format!(
                "{name} is outside the tolerance: largest error {:.3e}, {} non-finite differ",
                comparison.max_abs_err, comparison.nonfinite_mismatch
            ));
        }
    }

    /// Adds a tensor that nothing computes yet.
    pub fn skipped_tensor(&mut self, name: &str) {
        self.insert(
            name,
            TensorReport {
                status: Status::Skipped,
                max_abs_err: None,
                max_rel_err: None,
                nonfinite_mismatch: None,
                tol: None,
            },
        );
    }

    /// Names the skipped tensors of a case that has otherwise passed.
    pub fn settle(&mut self) {
        let skipped: Vec<&str> = (self.tensors.iter())
            .filter(|(_, tensor)| tensor["status"] == "skipped")
            .map(|(name, _)| name.as_str())
            .collect();
        if self.status == Status::Passed && !skipped.is_empty() {
            let reason = format!("not built yet: {}", skipped.join(", "));
            self.status = if skipped.len() == self.tensors.len() {
                Status::Skipped
            } else {
                Status::Partial
            };
            self.reason = Some(reason);
        }
    }

    fn insert(&mut self, name: &str, tensor: TensorReport) {
        // A struct of numbers and names always serializes.
        let value = serde_json::to_value(tensor).unwrap_or_default();
        self.tensors.insert(name.to_owned(), value);
    }
}

/// The largest error over what the tolerance allows, at most: exact where one of its two parts is 0.
fn share(comparison: &Comparison, tolerance: &Tolerance) -> f64 {
    if comparison.max_abs_err == 0.0 {
        return 0.0;
    }
    let bound = (comparison.max_abs_err / tolerance.atol).min(comparison.max_rel_err / tolerance.rtol);
    if comparison.passed { bound.min(1.0) } else { bound }
}

/// A table in the program's style: the first `text` columns to the left, numbers to the right.
pub fn table(header: &[&str], text: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(text) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
