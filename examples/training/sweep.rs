//! Every norm at every learning rate from several seeds.

use std::fmt::{self, Write};

use wgnorm::{Context, Result};

use crate::data::Digits;
use crate::norm::Norm;
use crate::train::{Outcome, Settings, Trainer};

pub const RATES: [f32; 7] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
pub const SEEDS: u64 = 5;

/// What the seeds of one norm and rate came to.
#[derive(Debug)]
pub struct Cell {
    pub norm: Norm,
    pub rate: f32,
    pub outcomes: Vec<Outcome>,
}

/// The median of some values, and their ends; NaN counts as larger than any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values
            .map(|value| if value.is_nan() { f64::INFINITY } else { value })
            .collect();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            return Self {
                least: f64::NAN,
                median: f64::NAN,
                most: f64::NAN,
            };
        };
        Self {
            least,
            median: values[values.len() / 2],
            most,
        }
    }
}

impl Cell {
    pub fn losses(&self) -> Spread {
        Spread::of(self.outcomes.iter().map(|outcome| outcome.loss))
    }

    pub fn accuracies(&self) -> Spread {
        Spread::of(self.outcomes.iter().map(|outcome| outcome.accuracy))
    }

    pub fn diverged(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.diverged()).count()
    }
}

/// Trains everything, telling each cell as it is done.
pub async fn sweep(
    context: &Context,
    (training, test): (&Digits, &Digits),
    epochs: u32,
    mut tell: impl FnMut(&Cell),
) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for norm in Norm::ALL {
        let trainer = Trainer::new(context, norm, training, test)?;
        for rate in RATES {
            let mut outcomes = Vec::new();
            for seed in 0..SEEDS {
                outcomes.push(trainer.train(Settings { rate, epochs, seed }, |_, _| ()).await?);
            }
            let cell = Cell { norm, rate, outcomes };
            tell(&cell);
            cells.push(cell);
        }
    }
    Ok(cells)
}

/// The tables of accuracy and loss, in Markdown: a row a norm, a column a rate.
pub fn tables(cells: &[Cell]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    table(&mut text, cells, "test accuracy, %", |cell| {
        let Spread { least, median, most } = cell.accuracies();
        format!("{:.1} ({:.1} to {:.1})", median * 100.0, least * 100.0, most * 100.0)
    })?;
    writeln!(text)?;
    table(&mut text, cells, "training loss", |cell| {
        let Spread { least, median, most } = cell.losses();
        match cell.diverged() {
            0 => format!("{median:.3} ({least:.3} to {most:.3})"),
            diverged => format!("{diverged} of {} diverge", cell.outcomes.len()),
        }
    })?;
    Ok(text)
}

fn table(text: &mut String, cells: &[Cell], title: &str, show: impl Fn(&Cell) -> String) -> fmt::Result {
    write!(text, "| {title} |")?;
    RATES.iter().try_for_each(|rate| write!(text, " {rate} |"))?;
    write!(text, "\n|---|{}", "---|".repeat(RATES.len()))?;
    for norm in Norm::ALL {
        write!(text, "\n| {} |", norm.name())?;
        let row = cells.iter().filter(|cell| cell.norm == norm);
        row.into_iter().try_for_each(|cell| write!(text, " {} |", show(cell)))?;
    }
    writeln!(text)
}
