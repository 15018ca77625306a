//! Every norm at every learning rate from several seeds.

use std::error::Error;
use std::fmt::{self, Write};

use wgnorm::Context;

use crate::data::Digits;
use crate::norm::Norm;
use crate::runs::Runs;
use crate::train::{Outcome, Settings, Trainer};

pub const RATES: [f32; 8] = [0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
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

/// Trains what is not known from other runs, telling each cell as it is done.
pub async fn sweep(
    context: &Context,
    (training, test): &(Digits, Digits),
    epochs: u32,
    runs: &mut Runs,
    mut tell: impl FnMut(&Cell),
) -> Result<Vec<Cell>, Box<dyn Error>> {
    let mut cells = Vec::new();
    for norm in Norm::ALL {
        // Planned for where there is something to train.
        let mut trainer = None;
        for rate in RATES {
            let mut outcomes = Vec::new();
            for seed in 0..SEEDS {
                let settings = Settings { rate, epochs, seed };
                if let Some(outcome) = runs.find(norm, settings) {
                    outcomes.push(outcome);
                    continue;
                }
                let trainer = match &mut trainer {
                    Some(trainer) => trainer,
                    none => none.insert(Trainer::new(context, norm, training, test)?),
                };
                let outcome = trainer.train(settings, |_, _| ()).await?;
                runs.add(norm, settings, outcome)?;
                outcomes.push(outcome);
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
            some if some * 2 < SEEDS as usize => format!("{median:.3}; {some} of {SEEDS} diverge"),
            most => format!("{most} of {SEEDS} diverge"),
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
        for cell in cells.iter().filter(|cell| cell.norm == norm) {
            write!(text, " {} |", show(cell))?;
        }
    }
    writeln!(text)
}
