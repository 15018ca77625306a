//! A file of trainings, one a line, so that a sweep can be gone on with, and drawn again.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::norm::Norm;
use crate::train::{Outcome, Settings};

const HEADER: &str = "norm,rate,epochs,seed,loss,accuracy";

/// The trainings that are known.
#[derive(Default)]
pub struct Runs {
    known: Vec<(Norm, Settings, Outcome)>,
    /// Where further ones are added.
    path: Option<PathBuf>,
}

impl Runs {
    /// Those of a file, which is made if it is not there.
    pub fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let name = path.display();
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                writeln!(
                    File::create(path).map_err(|error| format!("{name}: {error}"))?,
                    "{HEADER}"
                )?;
                String::new()
            }
            text => text.map_err(|error| format!("{name}: {error}"))?,
        };
        let known = (text.lines().enumerate().skip(1))
            .map(|(i, line)| parse(line).ok_or_else(|| format!("{name}, line {}: not of the form {HEADER}", i + 1)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            known,
            path: Some(path.to_owned()),
        })
    }

    pub fn find(&self, norm: Norm, settings: Settings) -> Option<Outcome> {
        let same = |run: &&(Norm, Settings, Outcome)| (run.0, run.1) == (norm, settings);
        self.known.iter().find(same).map(|run| run.2)
    }

    pub fn add(&mut self, norm: Norm, settings: Settings, outcome: Outcome) -> io::Result<()> {
        self.known.push((norm, settings, outcome));
        let Some(path) = &self.path else {
            return Ok(());
        };
        let (Settings { rate, epochs, seed }, Outcome { loss, accuracy }) = (settings, outcome);
        let mut file = OpenOptions::new().append(true).open(path)?;
        writeln!(file, "{},{rate},{epochs},{seed},{loss},{accuracy}", norm.name())
    }
}

fn parse(line: &str) -> Option<(Norm, Settings, Outcome)> {
    let mut fields = line.split(',');
    let mut next = || fields.next();
    let run = (
        Norm::from_str(next()?, false).ok()?,
        Settings {
            rate: next()?.parse().ok()?,
            epochs: next()?.parse().ok()?,
            seed: next()?.parse().ok()?,
        },
        Outcome {
            loss: next()?.parse().ok()?,
            accuracy: next()?.parse().ok()?,
        },
    );
    next().is_none().then_some(run)
}
