//! Results as text.

use std::borrow::Borrow;
use std::fmt;

use comfy_table::Table;
use serde::Serialize;

use super::Direction;
use super::copy::Sweep;
use super::measure::Row;
use super::workload::List;
use crate::report;

/// Explains the numbers of [`table`].
pub const TABLE_CAPTION: &str = "\
GPU: submit to complete, several runs a submission, buffers resident; kernel: the same by timestamps on the device; round
trip: with upload and readback; GB/s: each input read once, each output written once; of copy, of best: GB/s over those of
the reference copy, of the fastest copy of the sweep, of the same bytes, taken in turns; spread: (largest - smallest) /
median; cache: warm where x and y fit the last level of cache together, so that the repeats find them there, cold where they
do not, ? where its size is not known; ULP at max(|y|, |weight| + |bias|); cold: single runs with nothing of the tensors in a
cache; batch: many runs in one pass, submit to complete and by timestamps, each";

/// The columns of rows; those of cold runs where rows have them.
pub fn header<R: Borrow<Row>>(rows: &[R]) -> Vec<&'static str> {
    let mut header = vec![
        "operation",
        "layout",
        "shape",
        "variant",
        "kernel ms",
        "GPU ms",
        "spread",
        "GB/s",
        "of copy",
        "of best",
        "cache",
        "round trip ms",
        "CPU ms",
        "CPU/GPU",
        "max ULP",
    ];
    if rows.iter().any(|row| row.borrow().cold.is_some()) {
        header.extend(["cold ms", "cold of copy"]);
    }
    if rows.iter().any(|row| row.borrow().batch.is_some()) {
        header.extend(["batch us", "batch kernel us"]);
    }
    header
}

/// One line a row.
pub fn table<R: Borrow<Row>>(rows: &[R]) -> Table {
    let mut table = report::table(&header(rows), 4);
    for row in rows {
        table.add_row(cells(row.borrow()));
    }
    table
}

/// The cells of a row, in the order of [`header`].
pub fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![
        match row.direction {
            Direction::Forward => row.op.to_owned(),
            Direction::Backward => format!("{} backward", row.op),
        },
        row.layout.to_owned(),
        shape(&row.shape),
        row.variant.to_owned(),
        row.kernel_ms.map_or_else(|| "-".into(), |ms| format!("{ms:.3}")),
        format!("{:.3}", row.gpu_ms),
        format!("{:.2}", row.spread),
        format!("{:.2}", row.gbps),
        format!("{:.2}", row.of_copy),
        format!("{:.2}", row.of_best),
        row.cache.name().to_owned(),
        format!("{:.2}", row.round_trip_ms),
        format!("{:.2}", row.cpu_ms),
        format!("{:.2}", row.speedup_vs_cpu),
        row.max_ulp.map_or_else(|| "-".into(), |ulp| format!("{ulp:.2}")),
    ];
    if let Some(cold) = &row.cold {
        cells.extend([format!("{:.3}", cold.gpu_ms), format!("{:.2}", cold.of_copy)]);
    }
    if let Some(batch) = &row.batch {
        let kernel = batch.kernel_us.map_or_else(|| "-".into(), |us| format!("{us:.2}"));
        cells.extend([format!("{:.2}", batch.gpu_us), kernel]);
    }
    cells
}

/// Extents as people write them.
pub fn shape(extents: &[usize]) -> String {
    let extents: Vec<_> = extents.iter().map(usize::to_string).collect();
    extents.join("x")
}

/// How much the number of columns matters, at equal numbers of elements.
#[derive(Serialize, Debug)]
pub struct Widths {
    pub elements: usize,
    pub lowest: usize,
    pub highest: usize,
    pub worst: usize,
    pub best: usize,
    pub worst_gbps: f64,
    pub best_gbps: f64,
    /// Worst over best bandwidth.
    pub worst_over_best: f64,
    /// The same of shares of the copies taken in turns, which a change of the machine's speed does not touch.
    pub worst_over_best_of_copy: f64,
}

impl Widths {
    /// Of the rows of the comparison; `None` if there are fewer than two.
    pub fn of(rows: &[Row]) -> Option<Self> {
        let rows: Vec<_> = rows.iter().filter(|row| row.list == List::Widths).collect();
        if rows.len() < 2 {
            return None;
        }
        let by = |key: fn(&Row) -> f64| {
            let order = |a: &&&Row, b: &&&Row| key(a).total_cmp(&key(b));
            Some((*rows.iter().min_by(order)?, *rows.iter().max_by(order)?))
        };
        let (worst, best) = by(|row| row.gbps)?;
        let (least, most) = by(|row| row.of_copy)?;
        let widths = || rows.iter().map(|row| row.shape[1]);
        Some(Self {
            elements: worst.shape.iter().product(),
            lowest: widths().min()?,
            highest: widths().max()?,
            worst: worst.shape[1],
            best: best.shape[1],
            worst_gbps: worst.gbps,
            best_gbps: best.gbps,
            worst_over_best: worst.gbps / best.gbps,
            worst_over_best_of_copy: least.of_copy / most.of_copy,
        })
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "layer_norm of {} to {} columns, about {} elements each: {:.2} GB/s ({}) to {:.2} ({}), worst over best {:.2}, as \
             shares of copies taken in turns {:.2}",
            self.lowest,
            self.highest,
            self.elements,
            self.worst_gbps,
            self.worst,
            self.best_gbps,
            self.best,
            self.worst_over_best,
            self.worst_over_best_of_copy
        )
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shaders: Vec<_> = (self.shaders.iter())
            .map(|(name, gbps)| format!("{name} {gbps:.1}"))
            .collect();
        write!(
            f,
            "copy of {} MiB, GB/s: reference {:.1}, best {:.1}, buffer to buffer {:.1} ({})",
            self.bytes >> 20,
            self.reference_gbps,
            self.best_gbps,
            self.buffer_gbps,
            shaders.join(", ")
        )
    }
}
